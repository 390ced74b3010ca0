//! `limpid run`: runs a job file.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};

use super::engine::Engine;
use super::errors::{Failure, note};
use crate::jobs::JobError;
use crate::jobs::job::Job;
use crate::jobs::run::{self, Forecast, RunOptions};
use crate::report::terminal;

/// Run a job: sources, steps, checks and a sink from a YAML file
///
/// Finished steps whose inputs and query are the same are not computed again, so a run that was interrupted goes on where
/// it stopped. The sink appears whole, after every check has passed. Paths in the file are relative to the current folder.
///
/// Exit codes: 0 done, 1 the job failed or a check did, 2 the command line was wrong, 130 interrupted.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// The job file
    #[arg(value_name = "JOB.yaml")]
    pub job: PathBuf,
    /// Give the variable `${NAME}` a value, before the environment and the file; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// Validate everything and show what would run
    #[arg(long)]
    pub dry_run: bool,
    /// Write what happened to standard output as JSON
    #[arg(long)]
    pub json: bool,
    /// Compute every step again
    #[arg(long)]
    pub force: bool,
    /// Compute this step and all after it again
    #[arg(long, value_name = "STEP", conflicts_with = "force")]
    pub from: Option<String>,
}

const EXAMPLES: &str = "Examples:
  limpid run examples/quickstart.yaml --dry-run
  limpid run examples/quickstart.yaml --set threshold=0.8
  limpid init job.yaml            write a commented job file to start from";

/// Runs the command.
///
/// # Errors
/// The job file is wrong, a step or a check fails, the user interrupts.
pub fn run(args: &RunArgs, engine: &Engine) -> Result<(), Failure> {
    let file = args.job.clone();
    let options = RunOptions { set: variables(&args.set), force: args.force, from: args.from.clone() };
    let engine_options = engine.options.clone();
    if args.dry_run {
        let planned = engine.run(async move { Ok(run::dry_run(&file, &options, &engine_options).await?) })?;
        return forecast(&planned.0, &planned.1, &planned.2, args.json);
    }
    let result = engine.run(async move { Ok(run::run(&file, &options, &engine_options).await?) });
    if let Err(Failure::Interrupted(_)) = result {
        note("interrupted: finished steps are kept, the next run goes on from there");
    }
    let report = result?;
    let mut out = std::io::stdout().lock();
    if args.json {
        let json = serde_json::to_string_pretty(&report).map_err(|error| Failure::error(error.to_string()))?;
        writeln!(out, "{json}")?;
        return Ok(());
    }
    writeln!(out, "{}\n{}", terminal::funnel_table(&report), terminal::verdict(&report))?;
    if !engine.quiet {
        for warning in &report.warnings {
            note(&format!("warning: {warning}"));
        }
        for path in outputs(&args.job, &args.set) {
            writeln!(out, "{path}")?;
        }
    }
    Ok(())
}

/// Where the results of the job lie.
fn outputs(file: &Path, set: &[(String, String)]) -> Vec<String> {
    let Ok(job) = Job::read(file, &variables(set)) else { return Vec::new() };
    let sink = job.sink.as_ref().map(|sink| format!("result: {} ({})", sink.path.display(), sink.format));
    let report = job.report.as_ref().map(|path| format!("report: {}", path.display()));
    let why = format!("why a row went: limpid explain ROW_ID {}", file.display());
    sink.into_iter().chain(report).chain([why]).collect()
}

/// Shows what a run would do.
fn forecast(job: &Job, steps: &[Forecast], warnings: &[String], json: bool) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    if json {
        let steps: Vec<_> = steps
            .iter()
            .zip(&job.steps)
            .map(|(step, resolved)| {
                serde_json::json!({
                    "step": step.step, "input": step.input, "kind": step.kind, "finished": step.finished, "sql": resolved.sql,
                })
            })
            .collect();
        writeln!(out, "{:#}", serde_json::json!({ "job": job.name, "steps": steps, "warnings": warnings }))?;
        return Ok(());
    }
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["", "step", "input", "by", "query", "state"]);
    for (number, (step, resolved)) in steps.iter().zip(&job.steps).enumerate() {
        let state = if step.finished { "finished" } else { "to compute" };
        let query = resolved.sql.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        table.add_row([(number + 1).to_string().as_str(), &step.step, &step.input, &step.kind, &query, state]);
    }
    for check in &job.checks {
        table.add_row(["", &check.name, "output", "check", &check.sql, "must return no row"]);
    }
    writeln!(out, "{table}")?;
    for warning in warnings {
        note(&format!("warning: {warning}"));
    }
    writeln!(out, "job `{}` is valid; nothing was run", job.name)?;
    Ok(())
}

/// `--set` as a map; the last one of a name counts.
pub(super) fn variables(set: &[(String, String)]) -> BTreeMap<String, String> {
    set.iter().cloned().collect()
}

/// Reads `NAME=VALUE`.
pub(super) fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        Self::error(error.to_string())
    }
}
