//! `limpid lake plan`: what to keep and what to rebuild on demand.

use std::path::{Path, PathBuf};

use clap::Args;
use datafusion::prelude::{SessionConfig, SessionContext};
use limpid_lakes::lake::discover::list_files;
use limpid_lakes::options::{Options, Stage};
use limpid_lakes::pipeline;
use limpid_lakes::retention::{self, Prices};
use limpid_lakes::retire::PlanFile;
use limpid_lakes::retire::pin::root;
use limpid_lakes::sql::output;

use super::{PlaceArgs, one_of, problems, show};
use crate::cli::engine::Engine;
use crate::cli::errors::{Failure, note};
use crate::cli::output::{OutputArgs, Printer};
use crate::report::lake::{gather, write_html};

/// Say which contained tables are cheaper to rebuild on demand than to keep
///
/// The plan is the cheapest there is, or says how far from it it can be. It changes nothing:
/// `limpid lake apply` carries a saved plan out.
#[derive(Debug, Args)]
#[command(after_help = "Prices file, every line optional, per month and gigabyte:
  storage: 0.023
  maintenance: 0
  read: 0.002
  write: 0.005
  accesses: 1          uses of a table a month
  throughput: 0.1      gigabytes a second
  latency: 3600        seconds that a rebuild may take
  uses:
    sales/2024.parquet: 30")]
pub(super) struct PlanArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// What storing, reading and writing cost
    #[arg(long, value_name = "FILE.yaml")]
    prices: Option<PathBuf>,
    /// What a containment rests on: hashes of all rows, or the rows byte for byte
    #[arg(long, value_name = "STAGE", default_value = "exact", value_parser = one_of(Stage::ALL_ROWS))]
    stage: Stage,
    /// Write what may go, pinned to the files as they are now, for `limpid lake apply`
    #[arg(long, value_name = "FILE.json")]
    save: Option<PathBuf>,
    /// Write a page that shows what is contained in what, what goes, and the best candidates beside their sources
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
pub(super) fn run(args: &PlanArgs, engine: &Engine) -> Result<(), Failure> {
    let (ctx, url) = (engine.session()?, args.place.url.clone());
    let prices = args.prices.as_deref().map(read_prices).transpose()?.unwrap_or_default();
    let options =
        Options { stage: args.stage, names: args.place.names, layout: args.place.layout, ..Options::default() };
    let (layout, names) = (options.layout, options.names);
    let save = args.save.is_some();
    let (outcome, root) = engine.run(async move {
        let listed = list_files(&ctx.state(), &url).await?;
        let root = save.then(|| root(&listed)).transpose()?;
        let threads = ctx.copied_config().target_partitions();
        Ok((pipeline::run(listed, &options, &ctx.runtime_env(), threads).await?, root))
    })?;
    let plan = retention::plan(&outcome, &prices);
    if !engine.quiet {
        problems(&outcome.problems);
        let gone = plan.advice.iter().filter(|advice| advice.from.is_some()).count();
        let gap = plan.gap();
        note(&format!("{gone} of {} tables, {} bytes, may be rebuilt on demand", plan.advice.len(), plan.bytes));
        note(&format!("{:.6} a month instead of {:.6}; at most {gap:.2}% above the optimum", plan.cost, plan.keeping));
    }
    if let (Some(path), Some(root)) = (&args.save, root) {
        PlanFile::new(&outcome, &plan, root, layout, names)?.write(path)?;
    }
    let batch = output::plan(&outcome, &plan)?;
    if let Some(path) = &args.report {
        let (ctx, name) = (engine.session()?, args.place.url.clone());
        // A session in which names are only names: the engine's takes those of tables for paths.
        let plain = SessionConfig::new().with_target_partitions(1);
        let plain = SessionContext::new_with_config_rt(plain, ctx.runtime_env());
        let report = engine.run(async move { Ok(gather(&name, &outcome, &plan, &plain).await) })?;
        write_html(&report, path).map_err(|e| Failure::error(e.to_string()))?;
    }
    show(engine, Printer::new(&args.output)?, batch.schema(), vec![Ok(batch)])
}

fn read_prices(path: &Path) -> Result<Prices, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| Failure::error(format!("cannot read {shown}: {e}")))?;
    let prices: Prices = serde_saphyr::from_str(&text).map_err(|e| Failure::error(format!("{shown}: {e}")))?;
    prices.check().map_err(|wrong| Failure::error(format!("{shown}: {wrong}")))?;
    Ok(prices)
}
