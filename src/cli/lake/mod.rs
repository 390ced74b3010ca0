//! `limpid lake`: the tables of a lake, and which are contained in which.

mod plan;
mod retire;
mod scan;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, value_parser};
use datafusion::common::DataFusionError;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use limpid_lakes::demo;
use limpid_lakes::graph::Counts;
use limpid_lakes::lake::discover::list_files;
use limpid_lakes::lake::{Lake, Problem};
use limpid_lakes::options::{Layout, Names, OptionNames, Options, ROWS, Rows, SAMPLE_ROWS, Stage, THRESHOLD, Types};
use limpid_lakes::pipeline::{self, Outcome};
use limpid_lakes::retire::pin::root;
use limpid_lakes::sql::output;
use serde_json::{Value, json};

use self::plan::PlanArgs;
use self::retire::{ApplyArgs, PurgeArgs, RestoreArgs};
use self::scan::ScanArgs;
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
    Apply(ApplyArgs),
    Restore(RestoreArgs),
    Purge(PurgeArgs),
    Demo(DemoArgs),
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
    #[arg(long, value_name = "STAGE", default_value = "exact", value_parser = one_of(Stage::WORDS))]
    stage: Stage,
    /// Whether a row that the child repeats must be repeated in the parent
    #[arg(long, value_name = "HOW", default_value = "multiset", value_parser = one_of(ROWS))]
    rows: Rows,
    /// Which values are equal: widen compares values of one kind (1 = 1.0), strict needs one type, text compares texts, parsed what texts say
    #[arg(long, value_name = "HOW", default_value = "widen", value_parser = one_of(Types::WORDS))]
    types: Types,
    /// Least share of the child's rows in the parent, from 0.01 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 1.0, value_parser = share)]
    threshold: f64,
    /// Rows drawn from each child at stage `sampled`
    #[arg(long, value_name = "ROWS", default_value_t = 10, value_parser = value_parser!(u64).range(SAMPLE_ROWS))]
    sample_rows: u64,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// Also find tables whose columns have other names in the parent
    #[arg(long)]
    renamed: bool,
    /// Keep what is learnt below the lake, in `_limpid/state`, and read only what changed since the last time
    #[arg(long, conflicts_with = "renamed")]
    update: bool,
    /// Write everything as one JSON document: counts of the stages, pairs, tables left out
    #[arg(long, conflicts_with_all = ["format", "output"])]
    json: bool,
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
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = one_of(Layout::WORDS))]
    layout: Layout,
    /// How names of columns are compared: without case, or as written
    #[arg(long, value_name = "HOW", default_value = "fold", value_parser = one_of(Names::COMPARING))]
    names: Names,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if THRESHOLD.contains(&share) => Ok(share),
        _ => Err(format!("write a number from {} to {}", THRESHOLD.start(), THRESHOLD.end())),
    }
}

/// Takes one of these words, and gives what it stands for.
fn one_of<T: Copy + Default + Send + Sync + 'static>(
    words: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    let value = |given: String| words.iter().find(|(word, _)| *word == given).map(|(_, value)| *value);
    PossibleValuesParser::new(words.iter().map(|(word, _)| *word)).map(move |word| value(word).unwrap_or_default())
}

impl ContainmentArgs {
    fn options(&self) -> Result<Options, Failure> {
        let options = Options {
            stage: self.stage,
            rows: self.rows,
            types: self.types,
            names: if self.renamed { Names::Any } else { self.place.names },
            layout: self.place.layout,
            threshold: self.threshold,
            sample_rows: self.sample_rows,
            seed: self.seed,
            ..Options::default()
        };
        options.check().map_err(|conflict| Failure::Usage(conflict.told(&OptionNames::COMMAND_LINE)))?;
        if self.renamed && self.place.names == Names::Exact {
            return Err(Failure::Usage("--renamed and --names exact contradict each other".to_owned()));
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
        LakeCommand::Scan(args) => scan::run(args, engine),
        LakeCommand::Containment(args) => containment(args, engine),
        LakeCommand::Plan(args) => plan::run(args, engine),
        LakeCommand::Apply(args) => retire::apply(args, engine),
        LakeCommand::Restore(args) => retire::restore(args, engine),
        LakeCommand::Purge(args) => retire::purge(args, engine),
        LakeCommand::Demo(args) => {
            let made =
                demo::write(&args.folder, &demo::Plan { roots: args.roots, seed: args.seed, ..demo::Plan::default() })?;
            writeln!(std::io::stdout(), "{made} tables in {}", args.folder.display())?;
            Ok(())
        }
    }
}

fn containment(args: &ContainmentArgs, engine: &Engine) -> Result<(), Failure> {
    let (ctx, url, options, update) = (engine.session()?, args.place.url.clone(), args.options()?, args.update);
    let outcome = engine.run(async move {
        let listed = list_files(&ctx.state(), &url).await?;
        let threads = ctx.copied_config().target_partitions();
        Ok(match update {
            true => {
                let root = root(&listed)?;
                pipeline::update(listed, &options, &ctx.runtime_env(), threads, &root).await?
            }
            false => pipeline::run(listed, &options, &ctx.runtime_env(), threads).await?,
        })
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
    let columns: Vec<usize> = match (people, args.renamed) {
        (true, false) => vec![0, 1, 2, 3, 6, 8, 9, 13],
        (true, true) => vec![0, 1, 2, 3, 6, 8, 9, 14],
        (false, _) => (0..15).collect(),
    };
    let schema = Arc::new(output::edges_schema().project(&columns)?);
    let narrow = move |batch: Result<RecordBatch, DataFusionError>| -> Result<RecordBatch, DataFusionError> {
        Ok(batch?.project(&columns)?)
    };
    let batches = output::edges(outcome, 8192).map(narrow).collect();
    show(engine, printer, schema, batches)
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

fn stages(counts: &Counts) -> [(&'static str, u64); 7] {
    [
        ("pairs of tables", counts.pairs),
        ("names of columns", counts.schema),
        ("types", counts.types),
        ("bounds and counts", counts.minmax),
        ("single columns", counts.columns),
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
            "columns": counts.columns, "sketch": counts.sketch, "contained": counts.contained,
        },
        "tables_scanned": counts.scanned,
        "bytes_read": counts.bytes_read,
        "edges": pairs,
        "left_out": left_out,
    }))
}
