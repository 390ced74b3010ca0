//! `limpid lake`: the tables of a lake, and which are contained in which.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use clap::{Args, Subcommand};
use datafusion::common::DataFusionError;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use limpid_lakes::demo;
use limpid_lakes::graph::Counts;
use limpid_lakes::lake::discover::{discover, list_files};
use limpid_lakes::lake::{Lake, Problem};
use limpid_lakes::options::{Layout, Names, Options, ROWS, Stage, Types};
use limpid_lakes::pipeline::{self, Outcome};
use limpid_lakes::retention::{self, Prices};
use limpid_lakes::sql::output;
use serde_json::{Value, json};

use super::engine::Engine;
use super::errors::{Failure, note};
use super::output::{OutputArgs, Printer};

/// List the tables of a lake and find those contained in others
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct LakeArgs {
    #[command(subcommand)]
    command: LakeCommand,
}

#[derive(Debug, Subcommand)]
enum LakeCommand {
    Scan(ScanArgs),
    Containment(ContainmentArgs),
    Plan(PlanArgs),
    Demo(DemoArgs),
}

/// List the Parquet tables below a prefix: columns, rows, bytes, files
///
/// Only footers are read. What looks like a table and cannot be read is listed with the reason.
#[derive(Debug, Args)]
struct ScanArgs {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Find which tables are contained in which
///
/// A table is contained in another when all its columns are there and all its rows are among the other's. How many pairs each
/// stage left goes to standard error.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  limpid lake containment lake/
  limpid lake containment lake/ --rows set --types text -o edges.parquet
  limpid lake containment lake/ --stage minmax      no data is read
  limpid lake containment lake/ --json")]
struct ContainmentArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// The last stage: names; footers; samples of columns; sampled rows (may be wrong); all rows; all rows byte for byte
    #[arg(long, value_name = "STAGE", default_value = "exact", value_parser = ["schema", "minmax", "sketch", "sampled", "exact", "bytes"])]
    stage: String,
    /// Whether a row that the child repeats must be repeated in the parent
    #[arg(long, value_name = "HOW", default_value = "multiset", value_parser = ["multiset", "set"])]
    rows: String,
    /// Which values are equal: of one kind by value; of one type; as text
    #[arg(long, value_name = "HOW", default_value = "widen", value_parser = ["widen", "strict", "text"])]
    types: String,
    /// Least share of the child's rows in the parent, from 0.01 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 1.0, value_parser = share)]
    threshold: f64,
    /// Rows drawn from each child at stage `sampled`
    #[arg(long, value_name = "ROWS", default_value_t = 10)]
    sample_rows: u64,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// Write everything as one JSON document: counts of the stages, pairs, tables left out
    #[arg(long, conflicts_with_all = ["format", "output"])]
    json: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Say which contained tables are cheaper to rebuild on demand than to keep
///
/// The plan is the cheapest there is, or says how far from it it can be. It drops nothing.
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
struct PlanArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// What storing, reading and writing cost
    #[arg(long, value_name = "FILE.yaml")]
    prices: Option<PathBuf>,
    /// What a containment rests on: hashes of all rows, or the rows byte for byte
    #[arg(long, value_name = "STAGE", default_value = "exact", value_parser = ["exact", "bytes"])]
    stage: String,
    #[command(flatten)]
    output: OutputArgs,
}

/// Write a small lake of tables derived from one another, to try the other commands on
#[derive(Debug, Args)]
struct DemoArgs {
    /// A folder that does not exist or is empty
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Tables that others are derived from
    #[arg(long, value_name = "N", default_value_t = 3)]
    roots: usize,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
}

#[derive(Debug, Args)]
struct PlaceArgs {
    /// Folder, file or glob, local or in an object store
    #[arg(value_name = "URL")]
    url: String,
    /// What a table is: decided by names and markers, every file, or every folder
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = ["auto", "file", "folder"])]
    layout: String,
    /// How names of columns are compared: without case, or as written
    #[arg(long, value_name = "HOW", default_value = "fold", value_parser = ["fold", "exact"])]
    names: String,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.01..=1.0).contains(&share) => Ok(share),
        _ => Err("write a number from 0.01 to 1".to_owned()),
    }
}

/// The value of a word that the command line has checked.
fn chosen<T: Copy + Default>(words: &[(&str, T)], word: &str) -> T {
    words.iter().find(|(known, _)| *known == word).map(|(_, value)| *value).unwrap_or_default()
}

impl ContainmentArgs {
    fn options(&self) -> Result<Options, Failure> {
        let options = Options {
            stage: chosen(Stage::WORDS, &self.stage),
            rows: chosen(ROWS, &self.rows),
            types: chosen(Types::WORDS, &self.types),
            names: chosen(Names::WORDS, &self.place.names),
            layout: chosen(Layout::WORDS, &self.place.layout),
            threshold: self.threshold,
            sample_rows: self.sample_rows.max(1),
            seed: self.seed,
            ..Options::default()
        };
        if options.threshold < 1.0 && matches!(options.stage, Stage::Sketch | Stage::Bytes) {
            let says = "stages sketch and bytes know whole containments only: leave --threshold at 1";
            return Err(Failure::Usage(says.to_owned()));
        }
        Ok(options)
    }
}

/// Runs the command.
///
/// # Errors
/// There is no file below the prefix, or it cannot be listed.
pub fn run(args: &LakeArgs, engine: &Engine) -> Result<(), Failure> {
    match &args.command {
        LakeCommand::Scan(args) => scan(args, engine),
        LakeCommand::Containment(args) => containment(args, engine),
        LakeCommand::Plan(args) => plan(args, engine),
        LakeCommand::Demo(args) => {
            let made =
                demo::write(&args.folder, &demo::Plan { roots: args.roots, seed: args.seed, ..demo::Plan::default() })?;
            writeln!(std::io::stdout(), "{made} tables in {}", args.folder.display())?;
            Ok(())
        }
    }
}

fn scan(args: &ScanArgs, engine: &Engine) -> Result<(), Failure> {
    let (ctx, url) = (engine.session()?, args.place.url.clone());
    let (layout, names) = (chosen(Layout::WORDS, &args.place.layout), chosen(Names::WORDS, &args.place.names));
    let lake = engine.run(async move { Ok(discover(list_files(&ctx.state(), &url).await?, layout, names).await?) })?;
    let printer = Printer::new(&args.output)?;
    let mut batch = output::tables(&lake)?;
    if printer.is_for_people() {
        // The list of columns is too long for a line.
        batch = batch.project(&[0, 1, 2, 3, 4, 6, 7])?;
    }
    show(engine, printer, batch.schema(), vec![Ok(batch)])
}

fn containment(args: &ContainmentArgs, engine: &Engine) -> Result<(), Failure> {
    let (ctx, url, options) = (engine.session()?, args.place.url.clone(), args.options()?);
    let outcome = engine.run(async move {
        let listed = list_files(&ctx.state(), &url).await?;
        let threads = ctx.copied_config().target_partitions();
        Ok(pipeline::run(listed, &options, &ctx.runtime_env(), threads).await?)
    })?;
    if args.json {
        let json = document(&outcome)?;
        writeln!(std::io::stdout().lock(), "{json:#}")?;
        return Ok(());
    }
    if !engine.quiet {
        funnel(&outcome.counts);
        problems(&outcome.problems);
    }
    let printer = Printer::new(&args.output)?;
    let people = printer.is_for_people();
    let columns: Vec<usize> = if people { vec![0, 1, 2, 3, 6, 8, 9, 13] } else { (0..14).collect() };
    let schema = Arc::new(output::edges_schema().project(&columns)?);
    let narrow = move |batch: Result<RecordBatch, DataFusionError>| -> Result<RecordBatch, DataFusionError> {
        Ok(batch?.project(&columns)?)
    };
    let batches = output::edges(outcome, 8192).map(narrow).collect();
    show(engine, printer, schema, batches)
}

fn plan(args: &PlanArgs, engine: &Engine) -> Result<(), Failure> {
    let (ctx, url) = (engine.session()?, args.place.url.clone());
    let prices = args.prices.as_deref().map(read_prices).transpose()?.unwrap_or_default();
    let options = Options {
        stage: chosen(Stage::WORDS, &args.stage),
        names: chosen(Names::WORDS, &args.place.names),
        layout: chosen(Layout::WORDS, &args.place.layout),
        ..Options::default()
    };
    let outcome = engine.run(async move {
        let listed = list_files(&ctx.state(), &url).await?;
        let threads = ctx.copied_config().target_partitions();
        Ok(pipeline::run(listed, &options, &ctx.runtime_env(), threads).await?)
    })?;
    let plan = retention::plan(&outcome, &prices);
    if !engine.quiet {
        problems(&outcome.problems);
        let gone = plan.advice.iter().filter(|advice| advice.from.is_some()).count();
        let gap = if plan.cost > 0.0 { (plan.cost - plan.bound).max(0.0) / plan.cost * 100.0 } else { 0.0 };
        note(&format!("{gone} of {} tables, {} bytes, may be rebuilt on demand", plan.advice.len(), plan.bytes));
        note(&format!("{:.6} a month instead of {:.6}; at most {gap:.2}% above the optimum", plan.cost, plan.keeping));
    }
    let batch = output::plan(&outcome, &plan)?;
    show(engine, Printer::new(&args.output)?, batch.schema(), vec![Ok(batch)])
}

/// Prices as a file has them.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceFile {
    storage: Option<f64>,
    maintenance: Option<f64>,
    read: Option<f64>,
    write: Option<f64>,
    accesses: Option<f64>,
    throughput: Option<f64>,
    latency: Option<f64>,
    #[serde(default)]
    uses: BTreeMap<String, f64>,
}

fn read_prices(path: &Path) -> Result<Prices, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| Failure::error(format!("cannot read {shown}: {e}")))?;
    let file: PriceFile = serde_saphyr::from_str(&text).map_err(|e| Failure::error(format!("{shown}: {e}")))?;
    let default = Prices::default();
    let prices = Prices {
        storage: file.storage.unwrap_or(default.storage),
        maintenance: file.maintenance.unwrap_or(default.maintenance),
        read: file.read.unwrap_or(default.read),
        write: file.write.unwrap_or(default.write),
        accesses: file.accesses.unwrap_or(default.accesses),
        throughput: file.throughput.unwrap_or(default.throughput),
        latency: file.latency.unwrap_or(default.latency),
        uses: file.uses,
    };
    let Prices { storage, maintenance, read, write, accesses, throughput, latency, uses } = &prices;
    let named = [
        ("storage", storage),
        ("maintenance", maintenance),
        ("read", read),
        ("write", write),
        ("accesses", accesses),
        ("throughput", throughput),
        ("latency", latency),
    ];
    let all = named.into_iter().chain(uses.iter().map(|(table, uses)| (table.as_str(), uses)));
    for (name, value) in all {
        if !(value.is_finite() && *value >= 0.0) || (name == "throughput" && *value == 0.0) {
            return Err(Failure::error(format!("{shown}: `{name}` must be a number from 0 on, not {value}")));
        }
    }
    Ok(prices)
}

fn show(
    engine: &Engine,
    mut printer: Printer,
    schema: SchemaRef,
    batches: Vec<Result<RecordBatch, DataFusionError>>,
) -> Result<(), Failure> {
    engine.run(async move {
        let stream = RecordBatchStreamAdapter::new(schema, futures::stream::iter(batches));
        printer.print(Box::pin(stream)).await?;
        printer.commit()
    })
}

fn stages(counts: &Counts) -> [(&'static str, u64); 6] {
    [
        ("pairs of tables", counts.pairs),
        ("names of columns", counts.schema),
        ("types", counts.types),
        ("bounds and counts", counts.minmax),
        ("samples", counts.sketch),
        ("contained", counts.contained),
    ]
}

/// How many pairs each stage left.
fn funnel(counts: &Counts) {
    note(&format!("{} tables, {} schemas", counts.tables, counts.schemas));
    for (name, left) in stages(counts).into_iter().filter(|(_, left)| *left > 0) {
        note(&format!("{left:>12}  {name}"));
    }
    note(&format!("{} tables and {} bytes read", counts.scanned, counts.bytes_read));
}

fn problems(problems: &[Problem]) {
    for problem in problems {
        note(&format!("warning: {} left out: {}", problem.table, problem.reason));
    }
}

fn document(outcome: &Outcome) -> Result<Value, Failure> {
    let Outcome { lake, found, counts, problems } = outcome;
    let name = |lake: &Lake, table: u32| lake.tables[table as usize].name.clone();
    let pairs: Vec<Value> = found
        .iter()
        .map(|pair| {
            json!({
                "child": name(lake, pair.child),
                "parent": name(lake, pair.parent),
                "state": pair.state.name(),
                "similarity": pair.similarity,
                "similarity_low": pair.interval.map(|limits| limits.0),
                "similarity_high": pair.interval.map(|limits| limits.1),
                "child_rows": lake.tables[pair.child as usize].rows,
                "matched_rows": pair.rows.map(|(_, matched)| matched),
                "child_bytes": lake.tables[pair.child as usize].bytes,
            })
        })
        .collect();
    let left_out: Vec<Value> =
        problems.iter().map(|problem| json!({ "table": problem.table, "reason": problem.reason })).collect();
    Ok(json!({
        "tables": counts.tables,
        "schemas": counts.schemas,
        "stages": {
            "pairs": counts.pairs, "schema": counts.schema, "types": counts.types, "minmax": counts.minmax,
            "sketch": counts.sketch, "contained": counts.contained,
        },
        "tables_scanned": counts.scanned,
        "bytes_read": counts.bytes_read,
        "edges": pairs,
        "left_out": left_out,
    }))
}
