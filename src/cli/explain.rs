//! `limpid explain`: what happened to one row of a job.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::engine::Engine;
use super::errors::{Failure, note};
use super::run::{assignment, variables};
use crate::jobs::explain::{self, Fate};
use crate::jobs::job::Job;

/// Tell what happened to a row in the last run of a job
///
/// Names the step that removed it and the rule, or the row it repeats, the similarity, and what became of that row.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The row's key: its value in the job's `id` column
    #[arg(value_name = "ROW_ID")]
    pub row: String,
    /// The job file
    #[arg(value_name = "JOB.yaml")]
    pub job: PathBuf,
    /// Give the variable `${NAME}` a value, as in the run
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// Show the texts of both rows side by side
    #[arg(long)]
    pub diff: bool,
    /// Write the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// The job file is wrong, the job has no results, no row has this key.
pub fn run(args: &ExplainArgs, engine: &Engine) -> Result<(), Failure> {
    let job = Job::read(&args.job, &variables(&args.set))?;
    let (row, options, diff) = (args.row.clone(), engine.options.clone(), args.diff);
    let (fate, warnings) = engine.run(async move { Ok(explain::explain(&job, &options, &row, diff).await?) })?;
    if !engine.quiet {
        warnings.iter().for_each(|warning| note(&format!("warning: {warning}")));
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        let json = serde_json::to_string_pretty(&fate).map_err(|error| Failure::error(error.to_string()))?;
        writeln!(out, "{json}")?;
        return Ok(());
    }
    writeln!(out, "{fate}")?;
    if args.diff {
        show(&mut out, &fate)?;
    }
    Ok(())
}

/// The texts of a removed row and of the one it repeats, and so on along the chain.
fn show(out: &mut impl Write, fate: &Fate) -> std::io::Result<()> {
    let Some((removal, kept)) = fate.removed.as_ref().and_then(|removal| Some((removal, removal.kept.as_ref()?)))
    else {
        return Ok(());
    };
    if let Some((gone, stays)) = &removal.texts {
        writeln!(out, "{}", explain::side_by_side((&fate.id, gone), (&kept.id, stays)))?;
    }
    show(out, kept)
}
