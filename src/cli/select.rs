//! `limpid select`: a recipe decides which rows stay.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use datafusion::prelude::SessionContext;
use limpid_connectors::encode::WriteKind;

use super::engine::Engine;
use super::errors::{Failure, note};
use super::rows::{self, check, columns, count, numbers, texts};
use super::run::assignment;
use crate::jobs::progress::StepBar;
use crate::recipes::{self, Call, literal, quote};
use crate::report::data::Histogram;
use crate::report::numbers::thousands;
use crate::report::selection::{self, Budget, Example, Selection};
use crate::session::spill_folder;

/// Bins of the histogram, which are the strata of the report.
const BINS: usize = 50;

/// Rows shown at either end.
const EXAMPLES: usize = 8;

/// Select training rows: a method, a budget, the kept rows, all scores, a report
///
/// The method is a recipe with the parameter `fraction` or `budget` (`limpid recipes list`); `--score` alone keeps the highest values of a column.
/// The report shows the scores, the strata with their budgets, what other budgets would keep, and the rows at both ends.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  limpid select train.parquet --method ccs --fraction 0.1 --arg vector=emb -o kept.parquet --report why.html
  limpid select docs.parquet --score quality --budget 100000 -o kept.parquet
  limpid select docs.parquet --method score_strata --score aum --arg trim=0.1 --fraction 0.3 -o kept.parquet
  limpid select docs.parquet --method deita --text text --score quality --budget 10000 -o kept.parquet
  limpid select train.parquet --method aum --log log.parquet --fraction 0.9 --arg balance=proportional -o kept.parquet
`limpid recipes show METHOD` says what a method takes and which columns it adds. A column of the input that has the name of one of these is replaced.")]
pub struct SelectArgs {
    /// The rows: a path, a glob, a URL, or a query
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// The recipe; score_top by default where there is --score
    #[arg(long, value_name = "RECIPE")]
    pub method: Option<String>,
    /// Rows to keep
    #[arg(long, value_name = "ROWS", conflicts_with = "fraction")]
    pub budget: Option<u64>,
    /// Share of the rows to keep, above 0 and at most 1
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub fraction: Option<f64>,
    /// Column of the row key
    #[arg(long, value_name = "COLUMN", default_value = "id")]
    pub id: String,
    /// Column of a score that the rows have
    #[arg(long, value_name = "COLUMN")]
    pub score: Option<String>,
    /// Column of the label, for a method that learns and for the report
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// Column of texts, for a method that reads vectors: they are embedded first
    #[arg(long, value_name = "COLUMN")]
    pub text: Option<String>,
    /// The encoder of --text (`limpid models`); the one that is part of the program by default
    #[arg(long, value_name = "NAME", requires = "text")]
    pub model: Option<String>,
    /// A training log of your own, for a method that learns: a path or a query with id, label, probs, ...
    #[arg(long, value_name = "SOURCE")]
    pub log: Option<String>,
    /// A parameter of the recipe; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub arg: Vec<(String, String)>,
    /// Write the kept rows here, in the order of their keys; the name says the format: .parquet, .csv, .jsonl.gz, ...
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write key, score and decision of every row here
    #[arg(long, value_name = "FILE")]
    pub scores: Option<PathBuf>,
    /// Write the report here
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Other budgets in the report, as shares; `none` for none
    #[arg(long, value_name = "SHARES", default_value = "0.05,0.1,0.2,0.3,0.5,0.7,0.9")]
    pub sweep: String,
    /// Columns of the rows shown in the report; plain columns by default
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub show: Vec<String>,
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err("write a share above 0 and at most 1".to_owned()),
    }
}

/// Shares separated by commas.
pub(super) fn shares(text: &str) -> Result<Vec<f64>, Failure> {
    if text == "none" {
        return Ok(vec![]);
    }
    let parsed = text.split(',').map(share).collect::<Result<Vec<_>, _>>();
    parsed.map_err(|error| Failure::Usage(format!("`{text}`: {error}, separated by commas")))
}

/// A recipe that keeps a share or a number of rows, with all its arguments but that one.
#[derive(Debug, Clone)]
pub(super) struct Method {
    pub name: String,
    pub args: Vec<(String, String)>,
    pub id: String,
    /// The parameter that says how much is kept.
    pub size: &'static str,
}

impl Method {
    /// The query that keeps `fraction` of `rows`; `checked` where the input is to be checked first.
    pub fn sql(&self, fraction: f64, rows: u64, checked: bool, more: &[(&str, &str)]) -> Result<String, Failure> {
        let size = match self.size {
            "budget" => (fraction * rows as f64).round().to_string(),
            _ => fraction.to_string(),
        };
        let own = self.args.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let args: Vec<_> = own.chain([(self.size, size.as_str())]).chain(more.iter().copied()).collect();
        let (name, id) = (&self.name, &self.id);
        let call = Call { name, args: &args, id, text: Some("text"), input: "SELECT * FROM input", checked, number: 0 };
        call.sql().map_err(Failure::error)
    }
}

/// Runs the command.
///
/// # Errors
/// The method or its arguments are wrong, a column is missing, a file cannot be written.
pub fn run(args: &SelectArgs, engine: &Engine) -> Result<(), Failure> {
    let sweep = shares(&args.sweep)?;
    if args.budget.is_none() && args.fraction.is_none() {
        return Err(Failure::Usage("say how much to keep: --budget ROWS or --fraction SHARE".to_owned()));
    }
    for file in args.output.iter().chain(&args.scores) {
        WriteKind::of_name(&file.to_string_lossy(), None)?;
    }
    let method = method(args)?;
    let ctx = engine.session()?;
    let folder = tempfile::tempdir_in(spill_folder(&ctx.runtime_env()))?;
    let (source, budget, fraction) = (args.source.clone(), args.budget, args.fraction);
    let options = Report { score: args.score.clone(), label: args.label.clone(), show: args.show.clone(), sweep };
    let (output, scores, report) = (args.output.clone(), args.scores.clone(), args.report.clone());
    let (text, model) = (args.text.clone(), args.model.clone());
    let selection = engine.run(async move {
        rows::register(&ctx, "input", &source, &[method.id.as_str()]).await?;
        let known = columns(&ctx, "input").await?;
        let named =
            [(Some(&method.id), "--id"), (options.score.as_ref(), "--score"), (options.label.as_ref(), "--label")];
        for (column, flag) in named.into_iter().chain(options.show.iter().map(|column| (Some(column), "--show"))) {
            column.map_or(Ok(()), |column| check(&known, column, flag))?;
        }
        let total = count(&ctx, "SELECT count(*) FROM input").await?;
        if let Some(text) = &text {
            rows::embed(&ctx, "input", (text, model.as_deref()), folder.path()).await?;
        }
        if budget.is_some_and(|budget| budget > total) {
            return Err(Failure::error(format!("--budget: there are {} rows only", thousands(total))));
        }
        let fraction = fraction.unwrap_or_else(|| budget.unwrap_or(0) as f64 / total.max(1) as f64);
        let decided = Decided { ctx: &ctx, id: quote(&method.id), folder: folder.path() };
        let sql = method.sql(fraction, total, true, &[])?;
        let bar = StepBar::of(&method.name, "rows read", total);
        let columns = decided.save("decided", &sql, &bar).await?;
        drop(bar);
        check(&columns, "keep", &format!("the recipe `{}`", method.name))?;
        let score = options.score.clone().or_else(|| columns.iter().find(|column| *column == "score").cloned());
        let left_out = if text.is_some() { format!("keep, {}", rows::TEXT_VECTOR) } else { "keep".to_owned() };
        decided.write(output.as_deref(), &format!("SELECT * EXCEPT ({left_out}) FROM decided WHERE keep")).await?;
        let value = score.as_deref().map_or_else(|| "CAST(NULL AS DOUBLE)".to_owned(), quote);
        let all = format!("SELECT {}, {value} AS score, keep FROM decided", decided.id);
        decided.write(scores.as_deref(), &all).await?;
        let mut selection = Selection {
            about: recipes::description(&recipes::load(&method.name).map_err(Failure::error)?),
            method: method.name.clone(),
            source,
            rows: total,
            kept: count(&ctx, "SELECT count(*) FROM decided WHERE keep").await?,
            fraction,
            score,
            sql,
            ..Selection::default()
        };
        if let Some(path) = report {
            decided.fill(&mut selection, &options, &columns, &method).await?;
            selection::write(&selection, &path).map_err(|error| Failure::error(error.to_string()))?;
        }
        drop(folder);
        Ok(selection)
    })?;
    let Selection { method, rows, kept, fraction, .. } = &selection;
    let wanted = (fraction * *rows as f64).round() as u64;
    if *kept != wanted && !engine.quiet {
        note(&format!(
            "warning: {method} keeps {} rows, not the {} asked for: as many rows as it needs have no score, or its shares are of parts of the rows",
            thousands(*kept),
            thousands(wanted)
        ));
    }
    writeln!(std::io::stdout(), "{method}: {} of {} rows kept", thousands(*kept), thousands(*rows))?;
    Ok(())
}

fn method(args: &SelectArgs) -> Result<Method, Failure> {
    let name = match (&args.method, &args.score) {
        (Some(name), _) => name.clone(),
        (None, Some(_)) => "score_top".to_owned(),
        (None, None) => return Err(Failure::Usage("name a --method or a --score column".to_owned())),
    };
    let parameters = recipes::parameters(&recipes::load(&name).map_err(Failure::error)?).map_err(Failure::error)?;
    let has = |wanted: &str| parameters.iter().any(|parameter| parameter.name == wanted);
    let Some(size) = recipes::size_parameter(&parameters) else {
        return Err(Failure::error(format!(
            "the recipe `{name}` has neither the parameter `fraction` nor `budget`, so it keeps what it keeps: run it with `limpid recipes run {name}`"
        )));
    };
    let mut values = args.arg.clone();
    let vector = args.text.as_ref().map(|_| rows::TEXT_VECTOR.to_owned());
    for (flag, value) in [("--text", &vector), ("--log", &args.log)] {
        let (one, other) = if flag == "--text" { ("vector", "vec") } else { ("log", "log") };
        if value.is_some() && !has(one) && !has(other) {
            return Err(Failure::error(format!("{flag}: the recipe `{name}` has no parameter `{one}`")));
        }
    }
    let flags =
        [("score", &args.score), ("label", &args.label), ("log", &args.log), ("vector", &vector), ("vec", &vector)];
    for (parameter, value) in flags {
        if let (true, Some(value)) = (has(parameter), value) {
            values.insert(0, (parameter.to_owned(), value.clone()));
        }
    }
    Ok(Method { name, args: values, id: args.id.clone(), size })
}

/// What the report is to show.
struct Report {
    score: Option<String>,
    label: Option<String>,
    show: Vec<String>,
    sweep: Vec<f64>,
}

/// The decided rows.
struct Decided<'a> {
    ctx: &'a SessionContext,
    id: String,
    folder: &'a Path,
}

impl Decided<'_> {
    /// Computes `sql` once, into a file that is the relation `name`; its columns.
    async fn save(&self, name: &str, sql: &str, bar: &StepBar) -> Result<Vec<String>, Failure> {
        let file = self.folder.join(format!("{name}.parquet"));
        let file = file.to_string_lossy();
        rows::run_shown(self.ctx, &format!("COPY ({sql}) TO {} STORED AS PARQUET", literal(&file)), bar).await?;
        rows::run(self.ctx, &format!("CREATE OR REPLACE VIEW {} AS SELECT * FROM {}", quote(name), literal(&file)))
            .await?;
        columns(self.ctx, name).await
    }

    /// Writes the rows of a query in the order of their keys.
    async fn write(&self, file: Option<&Path>, query: &str) -> Result<(), Failure> {
        let Some(file) = file else { return Ok(()) };
        let file = literal(&file.to_string_lossy());
        rows::run(self.ctx, &format!("COPY ({query} ORDER BY {}) TO {file}", self.id)).await?;
        Ok(())
    }

    async fn fill(
        &self,
        to: &mut Selection,
        options: &Report,
        known: &[String],
        method: &Method,
    ) -> Result<(), Failure> {
        let ctx = self.ctx;
        let label = options.label.as_deref().filter(|label| known.iter().any(|column| column == label)).map(quote);
        if let Some(label) = &label {
            let sql = format!(
                "SELECT {label}, count(*), count(*) FILTER (WHERE keep) FROM decided GROUP BY {label} ORDER BY {label} LIMIT 200"
            );
            let found = rows::run(ctx, &sql).await?;
            let (rows, kept) = (numbers(&found, 1), numbers(&found, 2));
            let rows = rows.into_iter().zip(kept).map(|(rows, kept)| (rows as u64, kept as u64));
            to.classes =
                texts(&found, 0)?.into_iter().zip(rows).map(|(label, (rows, kept))| (label, rows, kept)).collect();
        }
        let score = to.score.as_deref().map(|score| format!("CAST({} AS DOUBLE)", quote(score)));
        if let Some(score) = &score {
            let finite = format!("{score} BETWEEN -1e300 AND 1e300");
            self.histogram(to, score, &finite).await?;
            let shown = if options.show.is_empty() { self.plain().await? } else { options.show.clone() };
            let high = self.high_is_good(score, &finite).await?;
            to.most = self.examples(score, &finite, &shown, high).await?;
            to.least = self.examples(score, &finite, &shown, !high).await?;
        }
        self.sweep(to, options, method, score.as_deref(), label.as_deref()).await
    }

    /// What other budgets keep. One query answers for all of them, so that what they share, such as scores that are learnt, is
    /// computed once.
    async fn sweep(
        &self,
        to: &mut Selection,
        options: &Report,
        method: &Method,
        score: Option<&str>,
        label: Option<&str>,
    ) -> Result<(), Failure> {
        if options.sweep.is_empty() {
            return Ok(());
        }
        let (ctx, id) = (self.ctx, &self.id);
        let (value, class) = (score.unwrap_or("CAST(NULL AS DOUBLE)"), label.unwrap_or("CAST(NULL AS BIGINT)"));
        let mut budgets = vec![];
        for (at, fraction) in options.sweep.iter().enumerate() {
            let sql = method.sql(*fraction, to.rows, false, &[])?;
            budgets.push(format!(
                "SELECT {at} AS budget, {id} AS row_id, {value} AS v, {class} AS class, keep FROM ({sql})"
            ));
        }
        let bar = StepBar::of("other budgets", "rows read", to.rows * options.sweep.len() as u64);
        self.save("others", &budgets.join(" UNION ALL "), &bar).await?;
        drop(bar);
        for (at, fraction) in options.sweep.iter().enumerate() {
            let other = format!("(SELECT * FROM others WHERE budget = {at})");
            let sql = format!("SELECT count(*), min(v), avg(v), max(v) FROM {other} WHERE keep");
            let found = rows::run(ctx, &sql).await?;
            let cell = |column: usize| numbers(&found, column).first().copied().unwrap_or(f64::NAN);
            let shared = format!(
                "SELECT count(*) FROM (SELECT row_id FROM {other} WHERE keep) JOIN (SELECT {id} AS b FROM decided WHERE keep) ON row_id = b"
            );
            let sql = format!(
                "SELECT count(*) FILTER (WHERE share = 0), min(share) FROM (SELECT avg(CASE WHEN keep THEN 1.0 ELSE 0.0 END) AS share \
                 FROM {other} WHERE class IS NOT NULL GROUP BY class)"
            );
            let classes = match label {
                Some(_) => {
                    let found = rows::run(ctx, &sql).await?;
                    let (lost, least) = (numbers(&found, 0), numbers(&found, 1));
                    lost.first().zip(least.first()).map(|(lost, least)| (*lost as u64, *least))
                }
                None => None,
            };
            to.sweep.push(Budget {
                fraction: *fraction,
                kept: cell(0) as u64,
                scores: (score.is_some() && cell(0) > 0.0).then(|| [cell(1), cell(2), cell(3)]),
                shared: count(ctx, &shared).await?,
                classes,
            });
        }
        Ok(())
    }

    async fn histogram(&self, to: &mut Selection, score: &str, finite: &str) -> Result<(), Failure> {
        let sql = format!("SELECT min({score}), max({score}), count(*) FROM decided WHERE {finite}");
        let found = rows::run(self.ctx, &sql).await?;
        let at = |column: usize| numbers(&found, column).first().copied().unwrap_or(f64::NAN);
        let (low, high, scored) = (at(0), at(1), at(2));
        to.unscored = to.rows.saturating_sub(scored as u64);
        if scored == 0.0 || low >= high {
            return Ok(());
        }
        let sql = format!(
            "SELECT CAST(width_bucket(v, low, high, {BINS}) AS BIGINT) AS bin, count(*), count(*) FILTER (WHERE keep) FROM (SELECT \
             {score} AS v, keep FROM decided WHERE {finite}) CROSS JOIN (SELECT min({score}) AS low, max({score}) AS high FROM decided \
             WHERE {finite}) GROUP BY 1 ORDER BY 1"
        );
        let found = rows::run(self.ctx, &sql).await?;
        let edges: Vec<f64> = (0..=BINS).map(|bin| low + (high - low) * bin as f64 / BINS as f64).collect();
        let (mut all, mut kept) = (vec![0; BINS], vec![0; BINS]);
        for ((bin, rows), stay) in numbers(&found, 0).into_iter().zip(numbers(&found, 1)).zip(numbers(&found, 2)) {
            if let (Some(all), Some(kept)) = (all.get_mut(bin as usize - 1), kept.get_mut(bin as usize - 1)) {
                (*all, *kept) = (rows as u64, stay as u64);
            }
        }
        to.all = Histogram { edges: edges.clone(), counts: all };
        to.kept_scores = Histogram { edges, counts: kept };
        Ok(())
    }

    /// Whether the kept rows have the higher scores.
    async fn high_is_good(&self, score: &str, finite: &str) -> Result<bool, Failure> {
        let sql = format!(
            "SELECT avg({score}) FILTER (WHERE keep) >= avg({score}) FILTER (WHERE NOT keep) FROM decided WHERE {finite}"
        );
        Ok(texts(&rows::run(self.ctx, &sql).await?, 0)?.first().is_none_or(|word| word != "false"))
    }

    /// Columns that can be read: no lists and no bytes.
    async fn plain(&self) -> Result<Vec<String>, Failure> {
        let frame = crate::session::statement::sql(self.ctx, "SELECT * FROM decided").await?;
        let fields = frame
            .schema()
            .fields()
            .iter()
            .filter(|field| !field.data_type().is_nested() && !field.data_type().is_binary());
        Ok(fields.map(|field| field.name().clone()).filter(|name| name != "keep" && quote(name) != self.id).collect())
    }

    async fn examples(&self, score: &str, finite: &str, shown: &[String], high: bool) -> Result<Vec<Example>, Failure> {
        let (id, order) = (&self.id, if high { "DESC" } else { "ASC" });
        let columns = shown.iter().enumerate().map(|(at, column)| format!(", {} AS shown_{at}", quote(column)));
        let columns: String = columns.collect();
        let sql = format!(
            "SELECT {id} AS shown_id, {score} AS shown_score, keep AS shown_keep{columns} FROM decided WHERE {finite} \
             ORDER BY shown_score {order}, shown_id LIMIT {EXAMPLES}"
        );
        let found = rows::run(self.ctx, &sql).await?;
        let (ids, scores, keeps) = (texts(&found, 0)?, numbers(&found, 1), texts(&found, 2)?);
        let values = (0..shown.len()).map(|at| texts(&found, 3 + at)).collect::<Result<Vec<_>, _>>()?;
        let rows = ids.into_iter().zip(scores).zip(keeps).enumerate();
        let rows = rows.map(|(row, ((id, score), keep))| Example {
            id,
            score,
            keep: keep == "true",
            values: shown.iter().zip(&values).map(|(name, values)| (name.clone(), values[row].clone())).collect(),
        });
        Ok(rows.collect())
    }
}
