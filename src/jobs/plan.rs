//! Validates a whole job before any of it runs: every table is replaced by an empty one with the right columns, and every
//! statement is planned on those, up to the last check.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{TableProvider, empty::EmptyTable};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;

use super::concepts;
use super::condition;
use super::error::{self, Problems, words};
use super::flow::Flow;
use super::job::{Job, JobStep};
use super::sink;
use super::source::{self, Opened};
use super::split::{Columns, VERDICTS, names};
use super::tables::query;
use crate::session::{self, EngineOptions, inputs};
use limpid_connectors::sources::{FilesTable, SourceSpec};

/// A job whose every statement has been planned.
pub struct Plan {
    /// The engine, with the sources registered.
    pub ctx: SessionContext,
    /// The sources.
    pub sources: Vec<Opened>,
    /// One entry a step.
    pub steps: Vec<StepPlan>,
    /// Files that the checks name.
    pub check_files: Vec<Opened>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// What is known about a step before it runs.
#[derive(Debug, Clone)]
pub struct StepPlan {
    /// Columns of the rows that stay.
    pub kept: SchemaRef,
    /// Sources and earlier steps it reads, `input` under its own name.
    pub reads: BTreeSet<String>,
    /// Files that its statement names.
    pub files: Vec<Opened>,
    /// Its query, or two queries: one decides which rows are kept and the other processes them.
    pub queries: Vec<String>,
    /// What it does with the rows of its input.
    pub flow: Flow,
    /// Whether kept rows are passed to the next step instead of being written.
    pub passes: bool,
}

impl Plan {
    /// The steps that run together: `first` and those to which its rows are passed.
    pub fn chain(&self, first: usize) -> RangeInclusive<usize> {
        let handed_on = self.steps[first..].iter().take_while(|step| step.passes).count();
        first..=first + handed_on
    }
}

/// Opens the sources and plans every statement of `job`; all mistakes are reported together.
pub async fn plan(job: &Job, engine: &EngineOptions) -> error::Result<Plan> {
    let mut problems = Problems::new(&job.file);
    let ctx = session::context(engine)?;
    let stand_ins = session::context(engine)?;
    let mut warnings = Vec::new();
    let mut sources = Vec::new();
    for source in &job.sources {
        match open_source(&ctx, &source.name, &source.spec).await {
            Ok(opened) => {
                let schema = opened.provider().schema();
                let taken: Vec<_> =
                    VERDICTS.iter().filter(|name| schema.field_with_name(name).is_ok()).copied().collect();
                if !taken.is_empty() {
                    let taken = taken.join(", ");
                    warnings
                        .push(format!("source `{}` has columns that end with the first step: {taken}", source.name));
                }
                stand_ins.register_table(source.name.as_str(), empty(&schema))?;
                sources.push(opened);
            }
            Err(error) => problems.add(source.line, format!("sources.{}: {}", source.name, words(&error))),
        }
    }
    // A statement over a source that could not be opened would only repeat the mistake.
    if sources.len() < job.sources.len() {
        problems.check()?;
    }
    if let Some(origin) = &job.origin {
        let schemas = sources.iter().map(|source| source.provider().schema()).collect::<Vec<_>>();
        if !schemas.iter().any(|schema| schema.field_with_name(origin).is_ok()) {
            let columns = schemas.first().map_or_else(String::new, |schema| names(schema));
            problems.add(0, format!("origin: no source has a column `{origin}`; the first one has {columns}"));
        }
    }
    let mut steps = plan_steps(job, &stand_ins, &mut problems, &mut warnings).await?;
    let mut check_files = Vec::new();
    if steps.len() == job.steps.len() {
        let checked = plan_checks(job, &stand_ins, &steps, &mut problems).await?;
        let passing = passing(job, &steps, &checked.known);
        steps.iter_mut().zip(passing).for_each(|(step, passes)| step.passes = passes);
        check_files = checked.files;
        if let (Some(target), Some(last)) = (&job.sink, steps.last())
            && let Err(message) = sink::rehearse(target, &last.kept).await
        {
            problems.add(target.line, format!("sink: {message}"));
        }
    }
    check_folders(job, &sources, &mut problems);
    problems.check()?;
    Ok(Plan { ctx, sources, steps, check_files, warnings })
}

async fn open_source(ctx: &SessionContext, name: &str, spec: &SourceSpec) -> Result<Opened> {
    let opened = source::open(ctx, spec).await?;
    ctx.register_table(name, opened.provider())?;
    Ok(opened)
}

/// Plans the steps up to the first that fails, since later ones may depend on it.
async fn plan_steps(
    job: &Job,
    stand_ins: &SessionContext,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> error::Result<Vec<StepPlan>> {
    let mut steps = Vec::new();
    for step in &job.steps {
        let input = stand_ins.table_provider(step.input.as_str()).await?;
        stand_ins.deregister_table("input")?;
        stand_ins.register_table("input", input)?;
        let planned = match statement(stand_ins, &step.sql).await {
            Ok(planned) => planned,
            Err(error) => {
                report_step(step, stand_ins, &error, problems).await;
                break;
            }
        };
        match Columns::find(planned.schema().as_arrow(), &job.id, job.text.as_deref()) {
            Ok(columns) => {
                stand_ins.register_table(step.name.as_str(), empty(&columns.kept))?;
                let Reads { known, files, unknown } = reads(&planned, job, &step.input)?;
                warnings.extend(unknown.iter().map(|name| {
                    format!("step `{}` reads {name}, which is no source: its changes are not noticed", step.name)
                }));
                // What a step says of kept rows needs them.
                let names_kept_rows = columns.cluster_id.is_some() || columns.duplicate_of.is_some();
                let mut flow = Flow::of(&planned, &step.input, &job.id);
                let mut queries = vec![step.sql.clone()];
                if let Some(two) = two_queries(step, job, stand_ins, &columns).await {
                    (queries, flow) = (two.into(), Flow { whole: true, alone: true });
                }
                flow.alone &= !names_kept_rows && !concepts::are_in(&columns.kept);
                steps.push(StepPlan { kept: columns.kept, reads: known, files, queries, flow, passes: false });
            }
            Err(message) => {
                problems.add(step.line, format!("steps.{}: {message}", step.name));
                break;
            }
        }
    }
    Ok(steps)
}

/// The two queries of a step that filters by a condition on each row, if together they are equivalent to the step.
async fn two_queries(step: &JobStep, job: &Job, stand_ins: &SessionContext, result: &Columns) -> Option<[String; 2]> {
    let queries = condition::split(&stand_ins.state(), &step.sql, &step.input)?;
    let input = stand_ins.table_provider("input").await.ok()?.schema();
    let [first, second] =
        [statement(stand_ins, &queries[0]).await.ok()?, statement(stand_ins, &queries[1]).await.ok()?];
    let alone = |plan: &LogicalPlan| Flow::of(plan, &step.input, &job.id).alone;
    let columns = |plan: &LogicalPlan| Columns::find(plan.schema().as_arrow(), &job.id, job.text.as_deref()).ok();
    let (decided, last) = (columns(&first)?, columns(&second)?);
    let name_columns = |schema: &Schema| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let same = name_columns(&decided.kept) == name_columns(&input)
        && decided.removed.field(0).data_type() == last.removed.field(0).data_type()
        && last.keep.is_none()
        && last.kept == result.kept;
    (alone(&first) && alone(&second) && same).then_some(queries)
}

/// Reports the step's mistake, on the line of the rule that contains it, if there is one.
async fn report_step(step: &JobStep, stand_ins: &SessionContext, error: &DataFusionError, problems: &mut Problems) {
    let mut blamed = false;
    for (name, condition) in &step.rules {
        let alone = format!("SELECT ({}\n) IS NOT TRUE FROM input", condition.value);
        if let Err(error) = statement(stand_ins, &alone).await {
            problems.add(condition.line, format!("steps.{}.rules.{name}: {}", step.name, words(&error)));
            blamed = true;
        }
    }
    // A column that a parameter of the recipe names and the input lacks.
    let input = stand_ins.table_provider("input").await.map(|input| input.schema());
    for argument in step.arguments.iter().filter(|argument| argument.is_column) {
        if let Ok(schema) = &input
            && schema.field_with_name(&argument.value).is_err()
        {
            let (recipe, name, value) = (&step.kind, &argument.name, &argument.value);
            let message = format!(
                "steps.{}: the parameter `{name}` of recipe `{recipe}` is `{value}`, and the input has no column `{value}`; it has {}",
                step.name,
                names(schema)
            );
            problems.add(argument.line, message);
            blamed = true;
        }
    }
    if !blamed && !step.arguments.is_empty() {
        let given = step.arguments.iter().map(|argument| format!("{} = {}", argument.name, argument.value));
        let given = given.collect::<Vec<_>>().join(", ");
        problems.add(step.line, format!("steps.{}: {}\n  recipe: {} with {given}", step.name, words(error), step.kind));
        blamed = true;
    }
    if !blamed {
        problems.add(step.line, format!("steps.{}: {}\n  statement: {}", step.name, words(error), step.sql));
    }
}

async fn plan_checks(
    job: &Job,
    stand_ins: &SessionContext,
    steps: &[StepPlan],
    problems: &mut Problems,
) -> error::Result<Reads> {
    let mut all = Reads::default();
    if let Some(last) = steps.last() {
        stand_ins.register_table("output", empty(&last.kept))?;
    }
    stand_ins.deregister_table("input")?;
    stand_ins.register_table("removed", empty(&removed_schema()))?;
    for check in &job.checks {
        match statement(stand_ins, &check.sql).await {
            Ok(planned) => {
                let Reads { known, files, .. } = reads(&planned, job, "input")?;
                all.known.extend(known);
                all.files.extend(files);
            }
            Err(error) => problems
                .add(check.line, format!("checks.{}: {}\n  statement: {}", check.name, words(&error), check.sql)),
        }
    }
    Ok(all)
}

/// Columns of the table `removed` that checks may read: the removed rows of all steps.
pub fn removed_schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let similarity = Field::new("similarity", DataType::Float64, true);
    Arc::new(Schema::new(vec![
        text("step"),
        text("id"),
        text("reason"),
        text("duplicate_of"),
        similarity,
        text("cluster_id"),
    ]))
}

/// Plans one query down to the physical plan, where operators check their arguments too.
async fn statement(ctx: &SessionContext, sql: &str) -> Result<LogicalPlan> {
    let frame = query(ctx, sql).await?;
    let plan = frame.logical_plan().clone();
    frame.create_physical_plan().await?;
    Ok(plan)
}

/// What a statement reads.
#[derive(Default)]
struct Reads {
    /// Tables of the job.
    known: BTreeSet<String>,
    /// Files that it names.
    files: Vec<Opened>,
    /// Other tables.
    unknown: BTreeSet<String>,
}

fn reads(plan: &LogicalPlan, job: &Job, input: &str) -> Result<Reads> {
    let mut reads = Reads::default();
    let mut paths = BTreeSet::new();
    let mut note = |node: &LogicalPlan| {
        if let LogicalPlan::TableScan(scan) = node
            && !inputs::is_input(scan)
        {
            let name = scan.table_name.table();
            if name == "input" {
                reads.known.insert(input.to_owned());
            } else if job.sources.iter().any(|source| source.name == name)
                || job.steps.iter().any(|step| step.name == name)
            {
                reads.known.insert(name.to_owned());
            } else if let Ok(provider) = source_as_provider(&scan.source)
                && let Some(table) = provider.downcast_ref::<FilesTable>()
            {
                if paths.insert(table.parts().spec.paths.clone()) {
                    let table = FilesTable::from_parts(table.parts().clone());
                    reads.files.push(Opened::of(Arc::new(table)));
                }
            } else {
                reads.unknown.insert(scan.table_name.to_string());
            }
        }
        Ok(TreeNodeRecursion::Continue)
    };
    plan.apply_with_subqueries(&mut note)?;
    for input in inputs::plans(plan)? {
        input.apply_with_subqueries(&mut note)?;
    }
    Ok(reads)
}

fn empty(schema: &SchemaRef) -> Arc<dyn TableProvider> {
    Arc::new(EmptyTable::new(Arc::clone(schema)))
}

/// Checks that the folders to which the job writes are writable, and that it does not read from them.
fn check_folders(job: &Job, sources: &[Opened], problems: &mut Problems) {
    if let Some(target) = &job.sink {
        if let Err(message) = sink::check(job, target) {
            problems.add(target.line, format!("sink.path: {message}"));
        }
        for (source, opened) in job.sources.iter().zip(sources) {
            if let Some(path) = opened.table.paths().find(|path| is_inside(Path::new(path), &target.path)) {
                problems.add(target.line, format!("sink.path: source `{}` reads {path} there", source.name));
            }
        }
    }
    let report = job.report.as_deref().and_then(Path::parent);
    for (key, folder) in [("work", Some(job.work.as_path())), ("report", report)] {
        if let Some(Err(message)) = folder.map(sink::writable) {
            problems.add(0, format!("{key}: {message}"));
        }
    }
}

fn is_inside(path: &Path, folder: &Path) -> bool {
    match (path.canonicalize(), folder.canonicalize()) {
        (Ok(path), Ok(folder)) => path.starts_with(folder),
        _ => false,
    }
}

/// For each step, whether its rows are passed on instead of being written: this requires that only the next step reads them,
/// once, row by row. `checked` are the tables that checks read.
fn passing(job: &Job, steps: &[StepPlan], checked: &BTreeSet<String>) -> Vec<bool> {
    let passes = |number: usize| {
        let (Some(step), Some(next)) = (steps.get(number), steps.get(number + 1)) else { return false };
        let name = &job.steps[number].name;
        let readers = steps.iter().filter(|step| step.reads.contains(name)).count();
        let follows = job.steps[number + 1].input == *name;
        step.flow.alone && next.flow.whole && follows && readers == 1 && !checked.contains(name)
    };
    (0..steps.len()).map(passes).collect()
}
