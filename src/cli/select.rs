//! `limpid select`: a recipe decides which rows stay.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use limpid_connectors::sinks::encode::WriteKind;

use super::engine::Engine;
use super::errors::{Failure, note};
use super::run::assignment;
use crate::report::numbers::thousands;
use crate::report::selection::Selection;
use crate::selection::method::{Given, Method};
use crate::selection::select::{SelectOptions, Size, select};

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

/// Runs the command.
///
/// # Errors
/// The method or its arguments are wrong, a column is missing, a file cannot be written.
pub fn run(args: &SelectArgs, engine: &Engine) -> Result<(), Failure> {
    let options = options(args)?;
    let ctx = engine.session()?;
    let selection = engine.run(async move { Ok(select(&ctx, options).await?) })?;
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

fn options(args: &SelectArgs) -> Result<SelectOptions, Failure> {
    let sweep = shares(&args.sweep)?;
    let size = match (args.budget, args.fraction) {
        (Some(rows), _) => Size::Rows(rows),
        (None, Some(share)) => Size::Share(share),
        (None, None) => {
            return Err(Failure::Usage("say how much to keep: --budget ROWS or --fraction SHARE".to_owned()));
        }
    };
    for file in args.output.iter().chain(&args.scores) {
        WriteKind::of_name(&file.to_string_lossy(), None)?;
    }
    let name = match (&args.method, &args.score) {
        (Some(name), _) => name.as_str(),
        (None, Some(_)) => "score_top",
        (None, None) => return Err(Failure::Usage("name a --method or a --score column".to_owned())),
    };
    let given = Given {
        score: args.score.as_deref(),
        label: args.label.as_deref(),
        log: args.log.as_deref(),
        embeds: args.text.is_some(),
    };
    Ok(SelectOptions {
        source: args.source.clone(),
        method: Method::for_selection(name, &args.arg, &args.id, given)?,
        size,
        text: args.text.clone().map(|column| (column, args.model.clone())),
        score: args.score.clone(),
        label: args.label.clone(),
        show: args.show.clone(),
        sweep,
        output: args.output.clone(),
        scores: args.scores.clone(),
        report: args.report.clone(),
    })
}
