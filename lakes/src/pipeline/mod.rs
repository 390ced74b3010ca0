//! The stages in their order.

mod reading;
mod renew;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::runtime_env::RuntimeEnv;

use self::reading::{compare_samples, leave_out, plans, problem, prove_bytes, read_all, swap_samples};
pub use self::renew::update;
use crate::discover;
use crate::graph::Edge;
use crate::graph::minmax::Minmax;
use crate::graph::schema::{Block, SchemaGraph};
use crate::lake::Lake;
use crate::lake::discover::{Listed, is_local};
use crate::options::{Names, Options, Stage};
pub use crate::outcome::Outcome;
use crate::rows::sketch::Sample;
use crate::rows::{Reader, TableRows};
use crate::verify::columns::Columns;
use crate::verify::decide::Context;
use crate::verify::judge::Judge;
use crate::verify::{Found, State, rename};

/// If there are at least this many pairs per table, single columns are read before whole tables.
const CROWDED: f64 = 1.5;
/// Tables of an object store read at the same time: what takes time there is waiting.
const REMOTE_READS: usize = 32;

/// What was read of each table.
type Rows = Vec<Option<TableRows>>;

/// Runs the stages up to `options.stage`.
///
/// # Errors
/// Those of memory and temporary files; a table that cannot be read is a problem of the outcome.
pub async fn run(listed: Listed, options: &Options, env: &Arc<RuntimeEnv>, threads: usize) -> Result<Outcome> {
    let lake = Arc::new(discover(listed, options.layout, options.names).await?);
    let mut outcome = Outcome::new(lake);
    let graph = SchemaGraph::new(&outcome.lake, options);
    let edges = candidates(&mut outcome, &graph, options, env, None)?;
    match options.stage {
        Stage::Schema => {
            outcome.found = edges.iter().map(|&edge| Found::metadata(edge, State::SchemaContained)).collect()
        }
        Stage::Minmax => {
            outcome.found = edges.iter().map(|&edge| Found::metadata(edge, State::MinmaxConsistent)).collect()
        }
        Stage::Sketch | Stage::Sampled | Stage::Exact | Stage::Bytes => {
            let work = Work::new(&outcome.lake, options, env, threads);
            read_and_decide(&mut outcome, &graph, edges, &work).await?;
            work.count(&mut outcome);
        }
    }
    outcome.finish();
    Ok(outcome)
}

/// What reading and comparing share.
struct Work<'a> {
    options: &'a Options,
    lake: Arc<Lake>,
    reader: Arc<Reader>,
    threads: usize,
    /// Tables read at the same time.
    reads: usize,
}

impl<'a> Work<'a> {
    fn new(lake: &Arc<Lake>, options: &'a Options, env: &Arc<RuntimeEnv>, threads: usize) -> Self {
        let threads = threads.max(1);
        let reads = if is_local(&lake.url) { threads * 2 } else { REMOTE_READS.max(threads * 2) };
        let reader = Arc::new(Reader::new(env, options.types.form()));
        Self { options, lake: Arc::clone(lake), reader, threads, reads }
    }

    fn count(&self, outcome: &mut Outcome) {
        outcome.counts.bytes_read += self.reader.bytes_read.load(Ordering::Relaxed);
        outcome.counts.scanned = self.reader.scanned.load(Ordering::Relaxed);
    }

    fn columns(&self) -> Columns {
        Columns::new(&self.lake, &self.reader, self.options.rows, self.threads, self.reads)
    }

    /// Decides by all rows.
    async fn decide(&self, outcome: &mut Outcome, rows: &Arc<Rows>, edges: Vec<Edge>) -> Result<()> {
        let context = Context {
            lake: Arc::clone(&self.lake),
            rows: Arc::clone(rows),
            reader: Arc::clone(&self.reader),
            judge: Judge::new(self.options),
            threads: self.threads,
        };
        let decided = context.decide(edges).await?;
        outcome.found.extend(decided.found);
        for (table, reason) in decided.failed {
            leave_out(outcome, table, reason);
        }
        Ok(())
    }
}

/// The pairs that metadata allows.
fn candidates(
    outcome: &mut Outcome,
    graph: &SchemaGraph,
    options: &Options,
    env: &Arc<RuntimeEnv>,
    changed: Option<&[bool]>,
) -> Result<Vec<Edge>> {
    let counts = &mut outcome.counts;
    counts.tables = graph.groups.iter().map(|group| group.tables.len() as u64).sum();
    counts.pairs = counts.tables * counts.tables.saturating_sub(1);
    counts.schemas = graph.schemas as u64;
    let held = MemoryConsumer::new("pairs of tables").register(&env.memory_pool);
    let minmax = Minmax::new(&outcome.lake, options);
    let mut edges = vec![];
    for block in &graph.blocks {
        let pairs = graph.pairs(block);
        counts.schema += pairs;
        counts.types += if block.types_fit { pairs } else { 0 };
        if options.stage == Stage::Schema {
            all_pairs(graph, block, &mut edges);
        } else if block.types_fit {
            minmax.prune(graph, block, changed, &mut edges);
        }
        held.try_resize(edges.capacity() * size_of::<Edge>())?;
    }
    counts.minmax = if options.stage == Stage::Schema { counts.types } else { edges.len() as u64 };
    edges.sort_unstable();
    Ok(edges)
}

fn all_pairs(graph: &SchemaGraph, block: &Block, edges: &mut Vec<Edge>) {
    for &child in &graph.groups[block.child as usize].tables {
        let parents = graph.groups[block.parent as usize].tables.iter();
        edges.extend(parents.filter(|&&parent| parent != child).map(|&parent| (child, parent)));
    }
}

async fn read_and_decide(outcome: &mut Outcome, graph: &SchemaGraph, edges: Vec<Edge>, work: &Work<'_>) -> Result<()> {
    let (options, lake) = (work.options, &work.lake);
    let all_rows = options.stage.reads_all_rows();
    let renamed = all_rows && options.names == Names::Any;
    let (mut edges, mut cells, mut held) = (edges, vec![], None);
    if all_rows && options.threshold >= 1.0 && !renamed {
        let mut columns = work.columns();
        edges = columns.refuse(graph, edges, CROWDED).await?;
        for (table, reason) in std::mem::take(&mut columns.failed) {
            outcome.problems.push(problem(lake, table as usize, reason));
        }
        outcome.counts.columns = edges.len() as u64;
        let (read, kept) = columns.into_cells();
        (cells, held) = (read, Some(kept));
    }
    // Samples can only exclude full containment. Pairs of one schema need none: comparing the sorted hashes, which exist
    // anyway, stops as early.
    let width = |table: u32| lake.tables[table as usize].columns.len();
    let sampled = |edge: &Edge| match options.stage {
        _ if options.threshold < 1.0 => false,
        Stage::Sketch => true,
        Stage::Exact | Stage::Bytes => width(edge.0) < width(edge.1),
        Stage::Schema | Stage::Minmax | Stage::Sampled => false,
    };
    let (edges, others): (Vec<Edge>, Vec<Edge>) = edges.into_iter().partition(sampled);
    let mut plans = plans(lake, graph, &edges, &others, options);
    if renamed {
        rename::plan(lake, &mut plans);
    }
    let mut rows = read_all(lake, &work.reader, plans, cells, work.reads, &mut outcome.problems).await?;
    drop(held);
    let edges = outcome.readable(edges);
    let mut samples: Vec<Vec<Sample>> = vec![vec![]; lake.tables.len()];
    swap_samples(&mut rows, &mut samples);
    let rows = Arc::new(rows);
    let consistent = compare_samples(lake, &Arc::new(samples), edges, options, work.threads).await?;
    outcome.counts.sketch = (consistent.len() + others.len()) as u64;
    if options.stage == Stage::Sketch {
        outcome.found = consistent;
        return Ok(());
    }
    let mut edges: Vec<Edge> = outcome.readable(others);
    edges.extend(consistent.iter().map(|found| (found.child, found.parent)));
    work.decide(outcome, &rows, edges).await?;
    if renamed {
        let found = rename::find(lake, &rows, &work.reader, &outcome.found, options).await?;
        outcome.found.extend(found);
    }
    if options.stage == Stage::Bytes {
        prove_bytes(outcome, &work.reader, options, work.threads).await?;
    }
    Ok(())
}
