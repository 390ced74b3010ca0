//! Does a method beat random rows on these data, before the expensive training?
//!
//! A small probe (`fit_softmax`) is trained on frozen vectors: on random rows, on what each method keeps and on everything.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::prelude::SessionContext;

use super::error::{Result, SelectionError};
use super::method::Method;
use super::rows::{self, check, columns, count, numbers};
use crate::jobs::progress::StepBar;
use crate::recipes::{literal, quote};
use crate::report::evaluation::{self, Evaluation, Measured};
use crate::session::spill_folder;

/// A small selection is trained on for more epochs, so that it takes as many steps; this many at most.
const MAX_EPOCHS: f64 = 300.0;

/// Which rows the probes are tested on.
#[derive(Debug, Clone)]
pub enum Testing {
    /// A share of them, drawn by their keys.
    Share(f64),
    /// Those for which this column is true.
    Column(String),
}

/// What is compared, and how.
#[derive(Debug, Clone)]
pub struct EvaluateOptions {
    /// The rows: a path, a glob, a URL, or a query.
    pub source: String,
    /// The methods; the others are compared with the first.
    pub methods: Vec<Method>,
    /// Shares of the rows to keep, ascending.
    pub fractions: Vec<f64>,
    /// Probes for each budget of a method.
    pub seeds: u32,
    /// Seed of the draws and of the probes.
    pub seed: u64,
    /// Column of the row key.
    pub id: String,
    /// Column of the vectors.
    pub vector: String,
    /// Column of the labels.
    pub label: String,
    /// Column of texts that are embedded first, and the encoder.
    pub text: Option<(String, Option<String>)>,
    /// What is tested on.
    pub testing: Testing,
    /// Hidden units of the probe, 0 for none.
    pub hidden: u32,
    /// Epochs of the probe on everything.
    pub epochs: u32,
    /// Learning rate of the probe.
    pub learning_rate: f64,
}

/// Measures every method; `say` is told what is being done.
///
/// # Errors
/// An argument or a column is wrong, there are no rows to learn from or to test on.
pub async fn evaluate(
    ctx: &SessionContext,
    options: EvaluateOptions,
    say: &(dyn Fn(&str) + Send + Sync),
) -> Result<Evaluation> {
    let folder = tempfile::tempdir_in(spill_folder(&ctx.runtime_env()))?;
    let mut probe = Probe::new(&options);
    let sizes = split(ctx, &options, folder.path()).await?;
    let EvaluateOptions { source, methods, fractions, seeds, seed, .. } = options;
    probe.fit_scale(ctx).await?;
    if probe.scale < 1.0 {
        say(&format!(
            "warning: the vectors are long for methods that learn from them; vec_scale({}, {:.1e}) suits them, as it does the probe",
            probe.vector, probe.scale
        ));
    }
    let probes = u64::from(seeds) * (1 + (methods.len() * fractions.len()) as u64);
    let progress = Progress { bar: StepBar::of("evaluate", "probes trained", probes), trained: AtomicU64::new(0) };
    let everything = probe.measure((ctx, &progress), "SELECT * FROM input", 1.0, (seed, seeds)).await?;
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
    let mut found = BTreeMap::new();
    for group in groups {
        let names: Vec<&str> = group.iter().map(|method| method.name.as_str()).collect();
        say(&format!("{}: choosing and training", names.join(", ")));
        let sizes = (fractions.as_slice(), sizes[0]);
        let measured = probe.methods((ctx, &progress), folder.path(), &group, sizes, (seed, seeds)).await?;
        found.extend(group.into_iter().map(|method| method.name).zip(measured));
    }
    drop(progress);
    for method in methods {
        let mut budgets: Vec<Measured> = vec![];
        let found = found.get(&method.name).cloned().unwrap_or_default();
        for (at, (fraction, (kept, accuracies))) in fractions.iter().zip(found).enumerate() {
            say(&format!("{} at {fraction}: {:.2}", method.name, mean(&accuracies)));
            let mut measured = Measured::new(*fraction, kept, accuracies);
            let random = evaluation.methods.first();
            if let Some(random) = random.and_then(|random: &evaluation::Method| random.budgets.get(at)) {
                measured.against(random);
            }
            budgets.push(measured);
        }
        evaluation.methods.push(evaluation::Method { name: method.name, budgets });
    }
    Ok(evaluation)
}

/// Makes the relations `input`, to choose from, and `test_rows`; their numbers of rows.
async fn split(ctx: &SessionContext, options: &EvaluateOptions, folder: &Path) -> Result<[u64; 2]> {
    rows::register(ctx, "everything", &options.source, &[]).await?;
    if let Some((text, model)) = &options.text {
        rows::embed(ctx, "everything", (text, model.as_deref()), folder).await?;
    }
    let known = columns(ctx, "everything").await?;
    for (column, flag) in [(&options.id, "--id"), (&options.vector, "--vector"), (&options.label, "--label")] {
        check(&known, column, flag)?;
    }
    let tested = match &options.testing {
        Testing::Column(column) => {
            check(&known, column, "--test")?;
            format!("coalesce({}, false)", quote(column))
        }
        Testing::Share(share) => format!("hash_uniform({}, {}) < {share}", options.seed, quote(&options.id)),
    };
    for (view, condition) in [("test_rows", tested.clone()), ("input", format!("NOT ({tested})"))] {
        rows::run(ctx, &format!("CREATE VIEW {view} AS SELECT * FROM everything WHERE {condition}")).await?;
    }
    let sizes = [count(ctx, "SELECT count(*) FROM input").await?, count(ctx, "SELECT count(*) FROM test_rows").await?];
    if sizes.contains(&0) {
        return Err(SelectionError::invalid(format!(
            "{} rows to choose from and {} to test on: both are needed",
            sizes[0], sizes[1]
        )));
    }
    Ok(sizes)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
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
const MAX_SQUARES: f64 = 30.0;

impl Probe {
    fn new(options: &EvaluateOptions) -> Self {
        let EvaluateOptions { id, vector, label, hidden, epochs, learning_rate, .. } = options;
        let (id, vector, label) = (id.clone(), vector.clone(), label.clone());
        Self { id, vector, label, hidden: *hidden, epochs: *epochs, rate: *learning_rate, scale: 1.0 }
    }

    /// Chooses by what the vectors are scaled.
    async fn fit_scale(&mut self, ctx: &SessionContext) -> Result<()> {
        let vector = quote(&self.vector);
        // Decimals add up to the same whatever the order of the rows.
        let sql = format!(
            "SELECT CAST(avg(CAST(dot_product({vector}, {vector}) AS DECIMAL(38, 9))) AS DOUBLE) FROM input WHERE {vector} IS NOT NULL"
        );
        let squares = numbers(&rows::run(ctx, &sql).await?, 0).first().copied().unwrap_or(0.0);
        self.scale = (MAX_SQUARES / squares.max(MAX_SQUARES)).sqrt();
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
        methods: &[Method],
        (fractions, rows): (&[f64], u64),
        (seed, seeds): (u64, u32),
    ) -> Result<Vec<Vec<(u64, Vec<f64>)>>> {
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
                    let sql = method.sql(*fraction, rows, draw == 0 && at == 0, more)?;
                    budgets.push(format!(
                        "SELECT {of} AS method, {at} AS budget, {id} AS kept_id FROM ({sql}) WHERE keep"
                    ));
                }
            }
            let name = methods.first().map_or("none", |method| method.name.as_str()).replace(['/', '\\'], "-");
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
                    return Err(SelectionError::invalid(format!("{} keeps no row at {fraction}", method.name)));
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
    ) -> Result<Vec<f64>> {
        let [id, vector, label] = [&self.id, &self.vector, &self.label].map(|name| quote(name));
        let epochs = (f64::from(self.epochs) / fraction).round().min(MAX_EPOCHS.max(f64::from(self.epochs))) as u32;
        let (hidden, rate, scale) = (self.hidden, self.rate, self.scale);
        let sql = format!(
            "SELECT run, 100 * avg(CASE WHEN margin(probs, label) > 0 THEN 1.0 ELSE 0.0 END) FROM fit_softmax((SELECT id, vec_scale(vector, {scale}) AS vector, label, train FROM \
             (SELECT {id} AS id, {vector} AS vector, {label} AS label, true AS train FROM ({chosen}) UNION ALL \
             SELECT {id}, {vector}, {label}, false FROM test_rows)), \
             vector => vector, train => train, hidden => {hidden}, epochs => {epochs}, runs => {runs}, batch => 16, learning_rate => {rate}, seed => {seed}, \
             log => 'last') AS probe WHERE probe.id IN (SELECT {id} AS tested FROM test_rows) GROUP BY run ORDER BY run"
        );
        let found = progress.during(rows::run(ctx, &sql)).await?;
        progress.trained.fetch_add(u64::from(runs), Ordering::Relaxed);
        Ok(numbers(&found, 1))
    }
}
