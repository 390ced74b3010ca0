//! Runs statements one after another and prints what they give.

use std::sync::Arc;
use std::time::Instant;

use datafusion::common::{DataFusionError, Result, TableReference};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{LogicalPlan, col, lit};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{DataFrame, SessionContext};

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Set, ShowStatementFilter, Statement as SqlStatement};
use futures::TryStreamExt;
use limpid_connectors::sources::functions;
use limpid_udfs::config::LimpidOptions;
use limpid_udfs::operators::is_operator;

use super::errors::{Failure, Message, note, plain};
use super::memory;
use super::output::Printer;
use super::script::{self, Parsed};
use super::statements::{Located, Source};
use crate::session::errors::is_full;
use crate::session::summarize::summary;
use crate::session::{catalogue, metrics, spill_folder, statement};

/// Runs sources in one session.
pub struct Runner {
    /// The session.
    pub ctx: SessionContext,
    /// Where results go.
    pub printer: Printer,
    /// Whether each statement's cost is told.
    pub timing: bool,
    /// Whether written rows are told.
    pub notes: bool,
}

/// What a message should name beside what the engine says.
struct About {
    /// Tables and files the statement reads.
    reads: String,
    /// Where it writes.
    writes: Option<String>,
    /// The setting it changes, and those that limpid has.
    setting: Option<(String, String)>,
    /// Where queries spill.
    spill: String,
}

impl About {
    fn of(statement: &Statement, ctx: &SessionContext) -> Self {
        let state = ctx.state();
        let tables = state.resolve_table_references(statement).unwrap_or_default();
        // The parser takes the name of an operator or table function for that of a table.
        let is_table = |name: &&str| {
            !is_operator(name)
                && !state.table_functions().contains_key(*name)
                && functions::of_name(&name.to_lowercase()).is_none()
        };
        let names: Vec<&str> = tables.iter().map(TableReference::table).filter(is_table).collect();
        let writes = match statement {
            Statement::CopyTo(copy) => Some(copy.target.clone()),
            _ => None,
        };
        let setting = match statement {
            Statement::Statement(inner) => match inner.as_ref() {
                SqlStatement::Set(Set::SingleAssignment { variable, .. }) => {
                    let all = state.config_options().entries().into_iter().map(|e| e.key);
                    let ours: Vec<String> = all.filter(|key| key.starts_with("limpid.")).collect();
                    Some((variable.to_string(), ours.join(", ")))
                }
                _ => None,
            },
            _ => None,
        };
        let spill = spill_folder(&ctx.runtime_env()).display().to_string();
        Self { reads: names.join(", "), writes, setting, spill }
    }

    fn complete(&self, mut message: Message) -> Message {
        if let Some(path) = &self.writes
            && message.text.contains("encountered while finalizing writes")
        {
            // DataFusion drops the reason.
            message.text = format!("cannot write {path}; part of it may be there");
        } else if let Some((name, ours)) = &self.setting
            && (message.text.contains(" not found on ") || message.text.contains("find config namespace"))
        {
            message.text = format!("there is no setting {name}; limpid's are {ours}; SHOW ALL lists all");
        } else if is_full(&message.text) && !message.text.starts_with("cannot write ") {
            message.text = format!("the spill folder {} is full: {}", self.spill, message.text);
        } else if message.unreadable
            && self.writes.as_ref().is_none_or(|target| !target.contains("://"))
            && !self.reads.is_empty()
        {
            // Writing to another store may fail with the same errors; a local COPY names its target itself.
            let text = message.text.trim_start_matches("Parquet: ");
            message.text = format!("cannot read {}: {text}", self.reads);
        }
        message
    }
}

/// What a statement gives back.
enum Answer {
    Rows(SendableRecordBatchStream),
    /// Text, with a heading for each part.
    Plan(SendableRecordBatchStream),
    /// The number of rows it wrote.
    Count(SendableRecordBatchStream),
    Nothing,
}

impl Runner {
    /// Runs all statements of a source; the first that fails is the last.
    pub async fn run(&mut self, source: &Source) -> Result<(), Failure> {
        // All is read before the first statement runs.
        let state = self.ctx.state();
        let parts: Vec<_> =
            script::parts(source).into_iter().map(|part| part.parse(&state)).collect::<Result<_, _>>()?;
        for part in parts {
            match part {
                Parsed::Statements(located) => self.all(source, located).await?,
                Parsed::Timing => self.timing = !self.timing,
                Parsed::Sql(source) | Parsed::Include(source) => Box::pin(self.run(&source)).await?,
                Parsed::Quit => break,
            }
        }
        Ok(())
    }

    async fn all(&mut self, source: &Source, located: Vec<Located>) -> Result<(), Failure> {
        for Located { statement, line, summarized } in located {
            let about = About::of(&statement, &self.ctx);
            let result = match summarized {
                None => Box::pin(self.statement(statement)).await,
                Some(query) => Box::pin(self.summarize(statement, &query)).await,
            };
            result.map_err(|failure| match failure {
                Failure::Error(message) => source.failure(&about.complete(*message), line),
                other => other,
            })?;
        }
        Ok(())
    }

    async fn summarize(&mut self, statement: Statement, query: &str) -> Result<(), Failure> {
        let plan = statement::plan(&self.ctx.state(), statement).await?;
        let sql = summary(query, plan.schema().as_arrow());
        let state = self.ctx.state();
        let statement = state.sql_to_statement(&sql, &state.config_options().sql_parser.dialect)?;
        self.statement(statement).await
    }

    async fn statement(&mut self, statement: Statement) -> Result<(), Failure> {
        memory::reset_peak();
        let start = Instant::now();
        let before = without_vector(&self.ctx);
        let (answer, plan) = answer(&self.ctx, statement).await?;
        let rows = match answer {
            Answer::Rows(stream) => Some(self.printer.print(stream).await?.rows),
            Answer::Plan(stream) => {
                if self.printer.is_for_people() {
                    let text = plan_text(stream).await?;
                    self.printer.text(&text)?;
                } else {
                    self.printer.print(stream).await?;
                }
                None
            }
            Answer::Count(stream) => {
                let rows = count(stream).await?;
                if self.notes {
                    note(&format!("wrote {rows} {}", if rows == 1 { "row" } else { "rows" }));
                }
                None
            }
            Answer::Nothing => None,
        };
        let mut counted = plan.map_or_else(Vec::new, |plan| metrics::collect(plan.as_ref()));
        metrics::add(&mut counted, metrics::TEXTS_WITHOUT_VECTOR, without_vector(&self.ctx) - before);
        let sentences = metrics::files_left_out(&counted)
            .into_iter()
            .chain(metrics::rejected(&counted))
            .chain(metrics::without_vector(&counted));
        for sentence in sentences.filter(|_| self.notes) {
            note(&format!("warning: {sentence}"));
        }
        if self.timing {
            let rows = rows.map_or_else(String::new, |n| format!("{n} {}, ", if n == 1 { "row" } else { "rows" }));
            let peak = memory::peak().map_or_else(String::new, |b| format!(", peak memory {}", memory::human(b)));
            note(&format!("{rows}{:.3} s{peak}", start.elapsed().as_secs_f64()));
        }
        Ok(())
    }
}

/// Texts of the session so far to which functions gave no vector.
fn without_vector(ctx: &SessionContext) -> u64 {
    LimpidOptions::of(ctx.copied_config().options()).without_vector()
}

/// The answer, and the plan that is at work on it.
async fn answer(ctx: &SessionContext, statement: Statement) -> Result<(Answer, Option<Arc<dyn ExecutionPlan>>)> {
    if let Statement::Statement(inner) = &statement
        && let SqlStatement::ShowFunctions { filter } = inner.as_ref()
    {
        return Ok((Answer::Rows(functions(ctx, filter.as_ref())?.execute_stream().await?), None));
    }
    let plan = statement::plan(&ctx.state(), statement).await?;
    let kind = match &plan {
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) => Answer::Plan,
        LogicalPlan::Copy(_) | LogicalPlan::Dml(_) => Answer::Count,
        _ => Answer::Rows,
    };
    let frame = ctx.execute_logical_plan(plan).await?;
    if frame.schema().fields().is_empty() {
        frame.collect().await?;
        return Ok((Answer::Nothing, None));
    }
    let task = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await?;
    Ok((kind(execute_stream(Arc::clone(&plan), task)?), Some(plan)))
}

/// `SHOW FUNCTIONS`, which in DataFusion knows no relation operators.
fn functions(ctx: &SessionContext, filter: Option<&ShowStatementFilter>) -> Result<DataFrame> {
    let frame = ctx.read_batch(catalogue::table(&catalogue::entries(&ctx.state()))?)?.alias("functions")?;
    let condition = match filter {
        None => return Ok(frame),
        Some(ShowStatementFilter::Like(pattern) | ShowStatementFilter::NoKeyword(pattern)) => {
            col("name").like(lit(pattern.as_str()))
        }
        Some(ShowStatementFilter::ILike(pattern)) => col("name").ilike(lit(pattern.as_str())),
        Some(ShowStatementFilter::Where(condition)) => {
            // Its places are those of the condition alone.
            let parsed = frame.parse_sql_expr(&condition.to_string());
            parsed.map_err(|e| DataFusionError::Plan(plain(&e).text))?
        }
    };
    frame.filter(condition)
}

/// The text of `EXPLAIN` without a frame around it.
async fn plan_text(stream: SendableRecordBatchStream) -> Result<String, Failure> {
    use arrow::util::display::array_value_to_string;
    let mut text = String::new();
    for batch in stream.try_collect::<Vec<_>>().await? {
        for row in 0..batch.num_rows() {
            let mut values = batch.columns().iter().map(|column| array_value_to_string(column, row));
            let (heading, plan) = (values.next().transpose()?, values.next().transpose()?);
            let (heading, plan) = (heading.unwrap_or_default(), plan.unwrap_or_default());
            text.push_str(&format!("{}:\n{}\n\n", heading.replace('_', " "), plan.trim_end()));
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    Ok(text)
}

async fn count(stream: SendableRecordBatchStream) -> Result<u64, Failure> {
    use arrow::array::AsArray;
    use arrow::datatypes::UInt64Type;
    let batches = stream.try_collect::<Vec<_>>().await?;
    let counted = batches.iter().filter_map(|b| b.columns().first()?.as_primitive_opt::<UInt64Type>().cloned());
    Ok(counted.flat_map(|column| column.values().to_vec()).sum())
}
