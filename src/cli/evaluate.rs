//! `limpid evaluate`: does a method beat random rows on these data, before the expensive training?

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use datafusion::prelude::SessionContext;

use super::engine::Engine;
use super::errors::{Failure, note};
use super::rows::{self, check, columns, count, numbers};
use super::run::assignment;
use super::select::{Method, share, shares};
use crate::jobs::progress::StepBar;
use crate::recipes::{self, literal, quote};
use crate::report::evaluation::{self, Evaluation, Measured};
use crate::session::spill_folder;

/// A small selection is trained on for more epochs, so that it takes as many steps; this many at most.
const MOST_EPOCHS: f64 = 300.0;

/// See whether methods of selection beat random rows on your data
///
/// Trains a small probe (`fit_softmax`) on frozen vectors: on random rows, on what each method keeps and on everything, over budgets and
/// seeds, and draws the test accuracy with error bars. Methods that draw at random draw anew for every seed; the others decide once.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  limpid evaluate train.parquet --vector emb --methods data_diet_el2n,ccs --report pays.html
  limpid evaluate train.parquet --methods ccs --arg beta=0.2 --fractions 0.1,0.5 --seeds 10 --json
  limpid evaluate queries.parquet --text text --label intent --methods aum,k_center")]
pub struct EvaluateArgs {
    /// The rows: a path, a glob, a URL, or a query
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// Recipes with the parameter `fraction` or `budget`; random is always there
    #[arg(long, value_name = "RECIPES", value_delimiter = ',', default_value = "data_diet_el2n,aum,ccs")]
    pub methods: Vec<String>,
    /// Shares of the rows to keep
    #[arg(long, value_name = "SHARES", default_value = "0.05,0.1,0.2,0.5")]
    pub fractions: String,
    /// Probes for each budget of a method
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub seeds: u32,
    /// Column of the row key
    #[arg(long, value_name = "COLUMN", default_value = "id")]
    pub id: String,
    /// Column of the vectors
    #[arg(long, value_name = "COLUMN", default_value = "vector")]
    pub vector: String,
    /// Column of texts that are embedded first, instead of a column of vectors
    #[arg(long, value_name = "COLUMN", conflicts_with = "vector")]
    pub text: Option<String>,
    /// The encoder of --text (`limpid models`); the one that is part of the program by default
    #[arg(long, value_name = "NAME", requires = "text")]
    pub model: Option<String>,
    /// Column of the labels, integers from 0 or texts
    #[arg(long, value_name = "COLUMN", default_value = "label")]
    pub label: String,
    /// Share of the rows to test on, drawn by their keys
    #[arg(long, value_name = "SHARE", default_value = "0.25", value_parser = share)]
    pub test_share: f64,
    /// Boolean column that is true for the rows to test on, instead of a draw
    #[arg(long, value_name = "COLUMN", conflicts_with = "test_share")]
    pub test: Option<String>,
    /// A parameter of the recipes that have it; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub arg: Vec<(String, String)>,
    /// Hidden units of the probe, 0 for none
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub hidden: u32,
    /// Epochs of the probe on everything; smaller selections take as many steps
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub epochs: u32,
    /// Learning rate of the probe
    #[arg(long, value_name = "RATE", default_value_t = 0.05)]
    pub learning_rate: f64,
    /// Seed of the draws and of the probes
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// Write the report here
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Write what was measured to standard output as JSON
    #[arg(long)]
    pub json: bool,
}

/// A method, and how it is repeated.
#[derive(Debug, Clone)]
struct Recipe {
    method: Method,
    /// Whether another seed keeps other rows for no other cost.
    draws: bool,
}

/// Runs the command.
///
/// # Errors
/// A recipe, its arguments or a column is wrong; the report cannot be written.
pub fn run(args: &EvaluateArgs, engine: &Engine) -> Result<(), Failure> {
    let mut fractions = shares(&args.fractions)?;
    fractions.sort_by(f64::total_cmp);
    let mut names = vec!["random".to_owned()];
    names.extend(args.methods.iter().filter(|name| *name != "random").cloned());
    let methods = names.iter().map(|name| recipe(name, args)).collect::<Result<Vec<_>, _>>()?;
    let ctx = engine.session()?;
    let folder = tempfile::tempdir_in(spill_folder(&ctx.runtime_env()))?;
    let mut probe = Probe::new(args);
    let (source, test, test_share, seed) = (args.source.clone(), args.test.clone(), args.test_share, args.seed);
    let (seeds, quiet) = (args.seeds, engine.quiet);
    let (text, model) = (args.text.clone(), args.model.clone());
    let evaluation = engine.run(async move {
        rows::register(&ctx, "everything", &source, &[]).await?;
        if let Some(text) = &text {
            rows::embed(&ctx, "everything", (text, model.as_deref()), folder.path()).await?;
        }
        let known = columns(&ctx, "everything").await?;
        let used = [(&probe.id, "--id"), (&probe.vector, "--vector"), (&probe.label, "--label")];
        for (column, flag) in used.into_iter().chain(test.iter().map(|test| (test, "--test"))) {
            check(&known, column, flag)?;
        }
        let tested = match &test {
            Some(column) => format!("coalesce({}, false)", quote(column)),
            None => format!("hash_uniform({seed}, {}) < {test_share}", quote(&probe.id)),
        };
        for (view, condition) in [("test_rows", tested.clone()), ("input", format!("NOT ({tested})"))] {
            rows::run(&ctx, &format!("CREATE VIEW {view} AS SELECT * FROM everything WHERE {condition}")).await?;
        }
        let sizes =
            [count(&ctx, "SELECT count(*) FROM input").await?, count(&ctx, "SELECT count(*) FROM test_rows").await?];
        if sizes.contains(&0) {
            return Err(Failure::error(format!(
                "{} rows to choose from and {} to test on: both are needed",
                sizes[0], sizes[1]
            )));
        }
        let say = |text: &str| {
            if !quiet {
                note(text);
            }
        };
        probe.fit_scale(&ctx).await?;
        if probe.scale < 1.0 {
            say(&format!(
                "warning: the vectors are long for methods that learn from them; vec_scale({}, {:.1e}) suits them, as it does the probe",
                probe.vector, probe.scale
            ));
        }
        let probes = u64::from(seeds) * (1 + (methods.len() * fractions.len()) as u64);
        let progress = Progress { bar: StepBar::of("evaluate", "probes trained", probes), trained: AtomicU64::new(0) };
        let everything = probe.measure((&ctx, &progress), "SELECT * FROM input", 1.0, (seed, seeds)).await?;
        say(&format!("everything: {:.2}", mean(&everything)));
        let mut evaluation = Evaluation {
            source,
            rows: sizes[0],
            test_rows: sizes[1],
            probe: probe.describe(),
            everything: Measured::new(1.0, sizes[0], everything),
            methods: vec![],
        };
        // Methods that decide once are one query, so that those that need the same training log share it.
        let (drawing, deciding): (Vec<_>, Vec<_>) = methods.iter().cloned().partition(|method| method.draws);
        let groups = drawing.into_iter().map(|method| vec![method]).chain((!deciding.is_empty()).then_some(deciding));
        let mut found = std::collections::BTreeMap::new();
        for group in groups {
            let names: Vec<&str> = group.iter().map(|recipe| recipe.method.name.as_str()).collect();
            say(&format!("{}: choosing and training", names.join(", ")));
            let measured = probe.methods((&ctx, &progress), folder.path(), &group, (&fractions, sizes[0]), (seed, seeds)).await?;
            found.extend(group.into_iter().map(|recipe| recipe.method.name).zip(measured));
        }
        drop(progress);
        for Recipe { method, .. } in methods {
            let mut budgets: Vec<Measured> = vec![];
            let found = found.get(&method.name).cloned().unwrap_or_default();
            for (at, (fraction, (kept, accuracies))) in fractions.iter().zip(found).enumerate() {
                say(&format!("{} at {fraction}: {:.2}", method.name, mean(&accuracies)));
                let mut measured = Measured::new(*fraction, kept, accuracies);
                if let Some(random) = evaluation.methods.first().and_then(|random: &evaluation::Method| random.budgets.get(at)) {
                    measured.against(random);
                }
                budgets.push(measured);
            }
            evaluation.methods.push(evaluation::Method { name: method.name, budgets });
        }
        drop(folder);
        Ok(evaluation)
    })?;
    if let Some(path) = &args.report {
        evaluation::write(&evaluation, path).map_err(|error| Failure::error(error.to_string()))?;
    }
    show(&evaluation, args.json)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn recipe(name: &str, args: &EvaluateArgs) -> Result<Recipe, Failure> {
    let parameters = recipes::parameters(&recipes::load(name).map_err(Failure::error)?).map_err(Failure::error)?;
    let has = |wanted: &str| parameters.iter().any(|parameter| parameter.name == wanted);
    let Some(size) = recipes::size_parameter(&parameters) else {
        return Err(Failure::error(format!(
            "the recipe `{name}` has neither the parameter `fraction` nor `budget`, so it has no budgets to compare"
        )));
    };
    let vector = args.text.as_ref().map_or(args.vector.as_str(), |_| rows::TEXT_VECTOR);
    let columns = [("vector", vector), ("vec", vector), ("label", &args.label)];
    let columns = columns.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let values = columns.chain(args.arg.iter().cloned()).filter(|(name, _)| has(name)).collect();
    let method = Method { name: name.to_owned(), args: values, id: args.id.clone(), size };
    Ok(Recipe { method, draws: has("seed") && !has("vector") && !has("vec") })
}

/// How many probes have been trained.
struct Progress {
    bar: StepBar,
    trained: AtomicU64,
}

impl Progress {
    async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        self.bar.during(|| self.trained.load(Ordering::Relaxed), work).await
    }
}

/// The probe and the columns it learns from.
struct Probe {
    id: String,
    vector: String,
    label: String,
    hidden: u32,
    epochs: u32,
    rate: f64,
    scale: f64,
}

/// What the squares of a vector add up to at most, on average over the rows: longer ones are scaled, since no learning rate
/// suits both them and the layers behind them.
const SQUARES: f64 = 30.0;

impl Probe {
    fn new(args: &EvaluateArgs) -> Self {
        let EvaluateArgs { id, vector, label, hidden, epochs, learning_rate, .. } = args;
        let vector = args.text.as_ref().map_or_else(|| vector.clone(), |_| rows::TEXT_VECTOR.to_owned());
        let (id, label) = (id.clone(), label.clone());
        Self { id, vector, label, hidden: *hidden, epochs: *epochs, rate: *learning_rate, scale: 1.0 }
    }

    /// Chooses by what the vectors are scaled.
    async fn fit_scale(&mut self, ctx: &SessionContext) -> Result<(), Failure> {
        let vector = quote(&self.vector);
        // Decimals add up to the same whatever the order of the rows.
        let sql = format!(
            "SELECT CAST(avg(CAST(dot_product({vector}, {vector}) AS DECIMAL(38, 9))) AS DOUBLE) FROM input WHERE {vector} IS NOT NULL"
        );
        let squares = numbers(&rows::run(ctx, &sql).await?, 0).first().copied().unwrap_or(0.0);
        self.scale = (SQUARES / squares.max(SQUARES)).sqrt();
        Ok(())
    }

    fn describe(&self) -> String {
        let layer = if self.hidden == 0 { "linear".to_owned() } else { format!("{} hidden units", self.hidden) };
        format!(
            "probe: {layer}, {} epochs on everything at a rate of {}, on `{}` times {:.3}",
            self.epochs, self.rate, self.vector, self.scale
        )
    }

    /// For each method and share the rows kept, and the accuracy of each seed. Either one method draws, or none does.
    async fn methods(
        &self,
        (ctx, progress): (&SessionContext, &Progress),
        folder: &Path,
        methods: &[Recipe],
        (fractions, rows): (&[f64], u64),
        (seed, seeds): (u64, u32),
    ) -> Result<Vec<Vec<(u64, Vec<f64>)>>, Failure> {
        let mut found = vec![vec![(0, vec![]); fractions.len()]; methods.len()];
        let draws = if methods.iter().any(|method| method.draws) { seeds } else { 1 };
        let id = quote(&self.id);
        for draw in 0..draws {
            let seed = seed + u64::from(draw);
            // One query for all: what they have in common, such as scores that are learnt, is computed once.
            let mut budgets = vec![];
            for (of, method) in methods.iter().enumerate() {
                for (at, fraction) in fractions.iter().enumerate() {
                    let drawn = seed.to_string();
                    let more: &[_] = if method.draws { &[("seed", drawn.as_str())] } else { &[] };
                    // The rows are the same in every budget: they are checked in the first.
                    let sql = method.method.sql(*fraction, rows, draw == 0 && at == 0, more)?;
                    budgets.push(format!(
                        "SELECT {of} AS method, {at} AS budget, {id} AS kept_id FROM ({sql}) WHERE keep"
                    ));
                }
            }
            let name = methods.first().map_or("none", |recipe| recipe.method.name.as_str()).replace(['/', '\\'], "-");
            let file = folder.join(format!("{name}-{draw}.parquet"));
            let file = literal(&file.to_string_lossy());
            let choose = format!("COPY ({}) TO {file} STORED AS PARQUET", budgets.join(" UNION ALL "));
            progress.during(rows::run(ctx, &choose)).await?;
            rows::run(ctx, &format!("CREATE OR REPLACE VIEW kept AS SELECT * FROM {file}")).await?;
            let cells = (0..methods.len()).flat_map(|of| (0..fractions.len()).map(move |at| (of, at)));
            for (of, at) in cells {
                let (method, fraction) = (&methods[of], &fractions[at]);
                let part = format!("FROM kept WHERE method = {of} AND budget = {at}");
                let kept = count(ctx, &format!("SELECT count(*) {part}")).await?;
                if kept == 0 {
                    return Err(Failure::error(format!("{} keeps no row at {fraction}", method.method.name)));
                }
                let chosen = format!("SELECT * FROM input WHERE {id} IN (SELECT kept_id {part})");
                let accuracies = self.measure((ctx, progress), &chosen, *fraction, (seed, seeds / draws)).await?;
                found[of][at].0 = kept;
                found[of][at].1.extend(accuracies);
            }
        }
        Ok(found)
    }

    /// Test accuracies in percent of `runs` probes that learn from `chosen`.
    async fn measure(
        &self,
        (ctx, progress): (&SessionContext, &Progress),
        chosen: &str,
        fraction: f64,
        (seed, runs): (u64, u32),
    ) -> Result<Vec<f64>, Failure> {
        let [id, vector, label] = [&self.id, &self.vector, &self.label].map(|name| quote(name));
        let epochs = (f64::from(self.epochs) / fraction).round().min(MOST_EPOCHS.max(f64::from(self.epochs))) as u32;
        let (hidden, rate, scale) = (self.hidden, self.rate, self.scale);
        let sql = format!(
            "SELECT run, 100 * avg(CASE WHEN margin(probs, label) > 0 THEN 1.0 ELSE 0.0 END) FROM fit_softmax((SELECT id, vec_scale(vector, {scale}) AS vector, label, train FROM \
             (SELECT {id} AS id, {vector} AS vector, {label} AS label, true AS train FROM ({chosen}) UNION ALL \
             SELECT {id}, {vector}, {label}, false FROM test_rows)), \
             train => train, hidden => {hidden}, epochs => {epochs}, runs => {runs}, batch => 16, learning_rate => {rate}, seed => {seed}, \
             log => 'last') AS probe WHERE probe.id IN (SELECT {id} AS tested FROM test_rows) GROUP BY run ORDER BY run"
        );
        let found = progress.during(rows::run(ctx, &sql)).await?;
        progress.trained.fetch_add(u64::from(runs), Ordering::Relaxed);
        Ok(numbers(&found, 1))
    }
}

fn show(evaluation: &Evaluation, json: bool) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    if json {
        let text = serde_json::to_string_pretty(evaluation).map_err(|error| Failure::error(error.to_string()))?;
        writeln!(out, "{text}")?;
        return Ok(());
    }
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header([
        "method",
        "kept",
        "share",
        "accuracy",
        "±",
        "against random",
        "",
    ]);
    let whole = &evaluation.everything;
    let everything = [("everything", whole)].into_iter();
    let lines = evaluation.methods.iter().flat_map(|method| method.budgets.iter().map(|m| (method.name.as_str(), m)));
    for (name, m) in everything.chain(lines) {
        table.add_row([
            name.to_owned(),
            m.kept.to_string(),
            m.fraction.to_string(),
            format!("{:.2}", m.mean),
            format!("{:.2}", m.deviation),
            m.gain.map_or_else(String::new, |gain| format!("{gain:+.2}")),
            m.verdict.unwrap_or_default().to_owned(),
        ]);
    }
    writeln!(out, "{table}")?;
    Ok(())
}
