//! `limpid evaluate`: does a method beat random rows on these data, before the expensive training?

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;

use super::engine::Engine;
use super::errors::{Failure, note};
use super::run::assignment;
use super::select::{share, shares};
use crate::report::evaluation::{self, Evaluation};
use crate::selection::evaluate::{EvaluateOptions, Testing, evaluate};
use crate::selection::method::Method;
use crate::selection::rows::TEXT_VECTOR;

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
    #[arg(long, value_name = "COLUMN", default_value = "embedding")]
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

/// Runs the command.
///
/// # Errors
/// A recipe, its arguments or a column is wrong; the report cannot be written.
pub fn run(args: &EvaluateArgs, engine: &Engine) -> Result<(), Failure> {
    let options = options(args)?;
    let (ctx, quiet) = (engine.session()?, engine.quiet);
    let say = move |text: &str| {
        if !quiet {
            note(text);
        }
    };
    let evaluation = engine.run(async move { Ok(evaluate(&ctx, options, &say).await?) })?;
    if let Some(path) = &args.report {
        evaluation::write(&evaluation, path).map_err(|error| Failure::error(error.to_string()))?;
    }
    show(&evaluation, args.json)
}

fn options(args: &EvaluateArgs) -> Result<EvaluateOptions, Failure> {
    let mut fractions = shares(&args.fractions)?;
    fractions.sort_by(f64::total_cmp);
    let vector = args.text.as_ref().map_or(args.vector.as_str(), |_| TEXT_VECTOR);
    let method = |name: &str| Method::for_evaluation(name, &args.arg, &args.id, (vector, &args.label));
    let names = args.methods.iter().map(String::as_str).filter(|name| *name != "random");
    Ok(EvaluateOptions {
        source: args.source.clone(),
        methods: ["random"].into_iter().chain(names).map(method).collect::<Result<_, _>>()?,
        fractions,
        seeds: args.seeds,
        seed: args.seed,
        id: args.id.clone(),
        vector: vector.to_owned(),
        label: args.label.clone(),
        text: args.text.clone().map(|column| (column, args.model.clone())),
        testing: args.test.clone().map_or(Testing::Share(args.test_share), Testing::Column),
        hidden: args.hidden,
        epochs: args.epochs,
        learning_rate: args.learning_rate,
    })
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
