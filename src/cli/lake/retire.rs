//! `limpid lake apply`, `restore` and `purge`: contained tables set aside and brought back.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use datafusion::prelude::SessionContext;
use limpid_lakes::lake::discover::{Listed, list_files};
use limpid_lakes::retire::{self, Done, PlanFile, dependents};

use crate::cli::engine::Engine;
use crate::cli::errors::{Failure, note};

/// Set the tables of a saved plan aside, after rehearsing that each can be rebuilt
///
/// A table goes only if every one of its rows was found in its source byte for byte, a recipe that makes it again (a query, or
/// the positions of its rows) was written, and what the recipe made had the same rows and schema. Its files move to
/// `_limpid/retired` in the lake. A table that changed since the plan was made stays, and so does everything that cannot be read.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  limpid lake plan lake/ --save plan.json
  limpid lake apply plan.json
  limpid lake restore lake/ sales/2024.parquet")]
pub(super) struct ApplyArgs {
    /// What `limpid lake plan --save` wrote
    #[arg(value_name = "PLAN.json")]
    plan: PathBuf,
}

/// Bring back tables that were set aside: all of them, or those named
///
/// The original files come back where they are still there, else what the recipes make. Nothing in the lake is written over.
#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The lake's folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Names of tables as `limpid lake scan` shows them
    #[arg(value_name = "TABLE")]
    tables: Vec<String>,
    /// Rebuild even where the originals are still there
    #[arg(long)]
    rebuild: bool,
}

/// Delete originals that were set aside and can still be rebuilt
///
/// Every table is rehearsed once more first; one whose source changed keeps its original. What is deleted cannot be undone, so
/// the command asks first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  limpid lake purge lake/ --dry-run
  limpid lake purge lake/ --yes
  limpid lake purge lake/ sales/2024.parquet")]
pub(super) struct PurgeArgs {
    /// The lake's folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Names of tables as `limpid lake scan` shows them
    #[arg(value_name = "TABLE")]
    tables: Vec<String>,
    /// Rehearse and say what would be deleted; delete nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do not ask: for scripts
    #[arg(long)]
    yes: bool,
}

/// The files of a lake; `None` where there is none.
async fn listing(ctx: &SessionContext, folder: &str) -> Option<Listed> {
    list_files(&ctx.state(), folder).await.ok()
}

fn text(path: &Path) -> Result<String, Failure> {
    let absolute = std::path::absolute(path)?;
    absolute.to_str().map(str::to_owned).ok_or_else(|| Failure::Usage(format!("{} is no text", path.display())))
}

/// Runs `apply`.
pub(super) fn apply(args: &ApplyArgs, engine: &Engine) -> Result<(), Failure> {
    let plan = PlanFile::read(&args.plan)?;
    let (ctx, folder) = (engine.session()?, text(&plan.lake)?);
    let done = engine.run(async move {
        let Some(listed) = listing(&ctx, &folder).await else {
            return Err(Failure::error(format!("{folder} is gone or empty")));
        };
        Ok(retire::apply(&plan, listed, &ctx.runtime_env()).await?)
    })?;
    tell(engine, &done, "set aside")
}

/// Runs `restore`.
pub(super) fn restore(args: &RestoreArgs, engine: &Engine) -> Result<(), Failure> {
    let (ctx, folder) = (engine.session()?, text(&args.folder)?);
    let (root, tables, rebuild) = (PathBuf::from(&folder), args.tables.clone(), args.rebuild);
    existing(&root)?;
    let done = engine.run(async move {
        let listed = listing(&ctx, &folder).await;
        Ok(retire::restore(&root, &tables, rebuild, listed, &ctx.runtime_env()).await?)
    })?;
    tell(engine, &done, "brought back")
}

/// Runs `purge`.
pub(super) fn purge(args: &PurgeArgs, engine: &Engine) -> Result<(), Failure> {
    let (ctx, folder) = (engine.session()?, text(&args.folder)?);
    let (root, tables) = (PathBuf::from(&folder), args.tables.clone());
    existing(&root)?;
    let dry = args.dry_run;
    if !dry && !args.yes && !agreed(&root, &tables)? {
        note("nothing was deleted");
        return Err(Failure::Reported);
    }
    let done = engine.run(async move {
        let listed = listing(&ctx, &folder).await;
        Ok(retire::purge(&root, &tables, dry, listed, &ctx.runtime_env()).await?)
    })?;
    tell(engine, &done, if dry { "would be freed" } else { "freed" })
}

/// Asks whether the originals may be deleted. Where there are none, there is nothing to ask.
fn agreed(root: &Path, tables: &[String]) -> Result<bool, Failure> {
    let mut originals = dependents::all(root);
    originals.retain(|aside| aside.original && (tables.is_empty() || tables.contains(&aside.recipe.table)));
    if originals.is_empty() {
        return Ok(true);
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        let says = "purge deletes files and asks first, but there is no terminal to ask on: add --yes, or --dry-run to see \
                    what it would delete";
        return Err(Failure::Usage(says.to_owned()));
    }
    let bytes: u64 = originals.iter().map(|aside| aside.recipe.bytes()).sum();
    write!(
        std::io::stderr(),
        "Delete the originals of {} tables ({bytes} bytes) in {}? Each is rehearsed first. Type yes to go on: ",
        originals.len(),
        root.display()
    )?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "yes"))
}

fn existing(root: &Path) -> Result<(), Failure> {
    match root.is_dir() {
        true => Ok(()),
        false => Err(Failure::error(format!("there is no folder {}", root.display()))),
    }
}

/// A line a table; a table for which nothing was done makes the command fail.
fn tell(engine: &Engine, done: &[Done], what: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for one in done {
        match one.done {
            true => writeln!(out, "{}: {what} ({})", one.table, one.says)?,
            false => note(&format!("error: {}: not {what}: {}", one.table, one.says)),
        }
    }
    let (good, bytes) = done.iter().filter(|one| one.done).fold((0, 0), |(n, bytes), one| (n + 1, bytes + one.bytes));
    if !engine.quiet {
        note(&format!("{good} of {} tables {what}, {bytes} bytes", done.len()));
    }
    if good < done.len() { Err(Failure::Reported) } else { Ok(()) }
}
