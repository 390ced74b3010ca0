//! The stages in their order.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::{StreamExt, TryStreamExt};
use hashbrown::HashSet;

use crate::graph::minmax::Minmax;
use crate::graph::schema::SchemaGraph;
use crate::graph::{Counts, Edge};
use crate::lake::discover::{Listed, discover, discover_anew, plain};
use crate::lake::{Lake, Problem, Table};
use crate::options::{Names, Options, Stage};
use crate::rows::sketch::Sample;
use crate::rows::{ReadPlan, Reader, TableRows};
use crate::state::{self, Known};
use crate::verify::decide::Context;
use crate::verify::judge::Judge;
use crate::verify::{Found, State, bytes, rename, sketch};

/// What was found out.
#[derive(Debug)]
pub struct Outcome {
    /// The tables.
    pub lake: Arc<Lake>,
    /// Pairs that passed the last stage, by the names of child and parent.
    pub found: Vec<Found>,
    /// How many pairs each stage left.
    pub counts: Counts,
    /// Tables left out: not readable, changed meanwhile.
    pub problems: Vec<Problem>,
}

/// Tables that are as they were when they were last compared, and what was known of them.
struct Before {
    known: Arc<Known>,
    changed: Vec<bool>,
}

impl Before {
    fn samples(&self, lake: &Lake, table: u32) -> &[Sample] {
        let known = self.known.tables.get(&lake.tables[table as usize].name);
        known.filter(|_| !self.changed[table as usize]).map_or(&[], |known| &known.samples)
    }
}

/// Runs the stages up to `options.stage`.
///
/// # Errors
/// Those of memory and temporary files; a table that cannot be read is a problem of the outcome.
pub async fn run(listed: Listed, options: &Options, env: &Arc<RuntimeEnv>, threads: usize) -> Result<Outcome> {
    let lake = Arc::new(discover(listed, options.layout, options.names).await?);
    Ok(stages(lake, options, env, threads, None).await?.0)
}

/// The same with what was learnt last time, which is kept below `root`, the lake's folder: what did not change is not read
/// again unless something new must be compared with it.
///
/// # Errors
/// Also where the state cannot be written, or options do not let it be used.
pub async fn update(
    listed: Listed,
    options: &Options,
    env: &Arc<RuntimeEnv>,
    threads: usize,
    root: &Path,
) -> Result<Outcome> {
    if !matches!(options.stage, Stage::Exact | Stage::Bytes) || options.threshold < 1.0 || options.names == Names::Any {
        return exec_err!(
            "only whole containments by the names of columns, by all rows, are kept from one time to the next"
        );
    }
    let known = Arc::new(Known::read(root, options));
    let lake = Arc::new(discover_anew(listed, options.layout, options.names, Some(&known)).await?);
    let is_known = |table: &Table| {
        let identity = state::identity(table.files.iter().map(|file| &file.meta));
        known.comparable && known.tables.get(&table.name).is_some_and(|before| before.identity == identity)
    };
    let changed: Vec<bool> = lake.tables.iter().map(|table| !is_known(table)).collect();
    let mut carried = known.between(&lake, &changed);
    let before = Before { known: Arc::clone(&known), changed };
    let (mut outcome, rows) = stages(lake, options, env, threads, Some(&before)).await?;
    // Whatever turned out to be unreadable has no containments.
    let failed = |table: u32| outcome.problems.iter().any(|p| p.table == outcome.lake.tables[table as usize].name);
    carried.retain(|found| !failed(found.child) && !failed(found.parent));
    outcome.found.extend(carried);
    outcome.found.sort_unstable_by_key(|found| (found.child, found.parent));
    outcome.counts.contained = outcome.found.len() as u64;
    if outcome.problems.len() == outcome.lake.problems.len() {
        known.write(root, &outcome.lake, &rows, &outcome.found, options)?;
    }
    Ok(outcome)
}

async fn stages(
    lake: Arc<Lake>,
    options: &Options,
    env: &Arc<RuntimeEnv>,
    threads: usize,
    before: Option<&Before>,
) -> Result<(Outcome, Arc<Rows>)> {
    let mut outcome = Outcome { problems: lake.problems.clone(), found: vec![], counts: Counts::default(), lake };
    outcome.counts.bytes_read = outcome.lake.bytes_read;
    let graph = SchemaGraph::new(&outcome.lake, options);
    let edges = candidates(&mut outcome, &graph, options, env, before)?;
    let mut rows = Arc::default();
    match options.stage {
        Stage::Schema => {
            outcome.found = edges.iter().map(|&edge| Found::metadata(edge, State::SchemaContained)).collect()
        }
        Stage::Minmax => {
            outcome.found = edges.iter().map(|&edge| Found::metadata(edge, State::MinmaxConsistent)).collect()
        }
        Stage::Sketch | Stage::Sampled | Stage::Exact | Stage::Bytes => {
            rows = read_and_decide(&mut outcome, &graph, edges, options, env, threads.max(1), before).await?;
        }
    }
    outcome.counts.contained = outcome.found.len() as u64;
    outcome.found.sort_unstable_by_key(|found| (found.child, found.parent));
    Ok((outcome, rows))
}

/// What was read of each table.
type Rows = Vec<Option<TableRows>>;

/// The pairs that metadata allows.
fn candidates(
    outcome: &mut Outcome,
    graph: &SchemaGraph,
    options: &Options,
    env: &Arc<RuntimeEnv>,
    before: Option<&Before>,
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
            minmax.prune(graph, block, before.map(|before| before.changed.as_slice()), &mut edges);
        }
        held.try_resize(edges.capacity() * size_of::<Edge>())?;
    }
    counts.minmax = if options.stage == Stage::Schema { counts.types } else { edges.len() as u64 };
    edges.sort_unstable();
    Ok(edges)
}

fn all_pairs(graph: &SchemaGraph, block: &crate::graph::schema::Block, edges: &mut Vec<Edge>) {
    for &child in &graph.groups[block.child as usize].tables {
        let parents = graph.groups[block.parent as usize].tables.iter();
        edges.extend(parents.filter(|&&parent| parent != child).map(|&parent| (child, parent)));
    }
}

async fn read_and_decide(
    outcome: &mut Outcome,
    graph: &SchemaGraph,
    edges: Vec<Edge>,
    options: &Options,
    env: &Arc<RuntimeEnv>,
    threads: usize,
    before: Option<&Before>,
) -> Result<Arc<Rows>> {
    let reader = Arc::new(Reader::new(env, options.types.form()));
    let lake = Arc::clone(&outcome.lake);
    let known = |table: u32| before.map_or(&[][..], |before| before.samples(&lake, table));
    // Samples can rule out whole containments only. Pairs of one schema need none: comparing the sorted hashes that they
    // have anyway ends as early; unless the samples are there and the rows are not.
    let width = |table: u32| lake.tables[table as usize].columns.len();
    let sampled = |edge: &Edge| match options.stage {
        _ if options.threshold < 1.0 => false,
        Stage::Sketch => true,
        Stage::Exact | Stage::Bytes => {
            width(edge.0) < width(edge.1) || !known(edge.0).is_empty() || !known(edge.1).is_empty()
        }
        Stage::Schema | Stage::Minmax | Stage::Sampled => false,
    };
    let (edges, others): (Vec<Edge>, Vec<Edge>) = edges.into_iter().partition(sampled);
    let mut plans = plans(&lake, graph, &edges, &others, options);
    let renamed = options.names == Names::Any && matches!(options.stage, Stage::Exact | Stage::Bytes);
    if renamed {
        rename::plan(&lake, &mut plans);
    }
    let mut later: Vec<Option<ReadPlan>> = vec![];
    if let Some(before) = before {
        later = put_off(&lake, &mut plans, &edges, before);
    }
    let mut rows = Arc::new(read_all(&lake, &reader, plans, threads, &mut outcome.problems).await?);
    let mut failed: HashSet<String> = outcome.problems.iter().map(|problem| problem.table.clone()).collect();
    let readable = |edge: &Edge, failed: &HashSet<String>| {
        [edge.0, edge.1].iter().all(|&table| !failed.contains(&lake.tables[table as usize].name))
    };
    let edges: Vec<Edge> = edges.into_iter().filter(|edge| readable(edge, &failed)).collect();
    let mut samples: Vec<Vec<Sample>> = (0..lake.tables.len()).map(|at| known(at as u32).to_vec()).collect();
    swap_samples(&mut rows, &mut samples);
    let mut samples = Arc::new(samples);
    let consistent = compare_samples(&lake, &samples, edges, options, threads).await?;
    if let Some(samples) = Arc::get_mut(&mut samples) {
        swap_samples(&mut rows, samples);
    }
    drop(samples);
    outcome.counts.sketch = (consistent.len() + others.len()) as u64;
    if options.stage == Stage::Sketch {
        outcome.found = consistent;
    } else {
        let left = consistent.iter().map(|found| (found.child, found.parent));
        let mut edges: Vec<Edge> = others.into_iter().filter(|edge| readable(edge, &failed)).chain(left).collect();
        if let Some(before) = before {
            // Only what some pair still needs.
            let needed: HashSet<u32> = edges.iter().flat_map(|edge| [edge.0, edge.1]).collect();
            let needed = |at: usize| needed.contains(&(at as u32)) && before.changed.get(at) == Some(&false);
            let later = later.into_iter().enumerate().map(|(at, plan)| plan.filter(|_| needed(at))).collect();
            let more = read_all(&lake, &reader, later, threads, &mut outcome.problems).await?;
            let mut all = Arc::into_inner(rows).unwrap_or_default();
            all.iter_mut().zip(more).for_each(|(rows, more)| *rows = rows.take().or(more));
            rows = Arc::new(all);
            failed = outcome.problems.iter().map(|problem| problem.table.clone()).collect();
            edges.retain(|edge| readable(edge, &failed));
        }
        let context = Context {
            lake: Arc::clone(&lake),
            rows: Arc::clone(&rows),
            reader: Arc::clone(&reader),
            judge: Judge::new(options),
            threads,
        };
        let decided = context.decide(edges).await?;
        outcome.found = decided.found;
        for (table, reason) in decided.failed {
            leave_out(outcome, table, reason);
        }
    }
    if renamed {
        let found = rename::find(&lake, &rows, &reader, &outcome.found, options).await?;
        outcome.found.extend(found);
    }
    if options.stage == Stage::Bytes {
        prove_bytes(outcome, &reader, options, threads).await?;
    }
    outcome.counts.bytes_read += reader.bytes_read.load(Ordering::Relaxed);
    outcome.counts.scanned = reader.scanned.load(Ordering::Relaxed);
    Ok(rows)
}

/// Lends the samples of what was read.
fn swap_samples(rows: &mut Arc<Rows>, samples: &mut [Vec<Sample>]) {
    if let Some(rows) = Arc::get_mut(rows) {
        for (rows, samples) in rows.iter_mut().zip(samples) {
            if let Some(rows) = rows {
                std::mem::swap(&mut rows.samples, samples);
            }
        }
    }
}

/// Takes the tables that did not change out of the first reading; they are read when samples leave a pair that needs them.
/// The changed ones are sampled by the anchors that are known of those.
fn put_off(lake: &Lake, plans: &mut [Option<ReadPlan>], edges: &[Edge], before: &Before) -> Vec<Option<ReadPlan>> {
    for &(child, parent) in edges {
        for (new, old) in [(child, parent), (parent, child)] {
            if !before.changed[new as usize] {
                continue;
            }
            let (table, other) = (&lake.tables[new as usize], &lake.tables[old as usize]);
            let Some(plan) = &mut plans[new as usize] else { continue };
            for sample in before.samples(lake, old) {
                let name = other.columns.get(sample.anchor).map(|column| column.name.as_str());
                let place = table.columns.iter().position(|column| Some(column.name.as_str()) == name);
                if let Some(place) =
                    place.filter(|place| plan.anchors.len() < sketch::MOST && !plan.anchors.contains(place))
                {
                    plan.anchors.push(place);
                }
            }
        }
    }
    let mut later = vec![];
    for (plan, changed) in plans.iter_mut().zip(&before.changed) {
        later.push(if *changed { None } else { plan.take() });
    }
    later
}

/// What is read of each table: nothing of those in no pair.
fn plans(
    lake: &Lake,
    graph: &SchemaGraph,
    sampled: &[Edge],
    others: &[Edge],
    options: &Options,
) -> Vec<Option<ReadPlan>> {
    let mut plans: Vec<Option<ReadPlan>> = vec![None; lake.tables.len()];
    let hashes = options.stage != Stage::Sketch;
    for &(child, parent) in sampled.iter().chain(others) {
        let width = |table: u32| lake.tables[table as usize].columns.len();
        plans[child as usize].get_or_insert_default().hashes = hashes;
        let plan = plans[parent as usize].get_or_insert_default();
        plan.hashes = hashes;
        plan.project |= hashes && width(child) < width(parent);
    }
    for (plan, anchors) in plans.iter_mut().zip(sketch::anchors(lake, graph, sampled)) {
        if let Some(plan) = plan {
            plan.anchors = anchors;
        }
    }
    plans
}

async fn read_all(
    lake: &Arc<Lake>,
    reader: &Arc<Reader>,
    plans: Vec<Option<ReadPlan>>,
    threads: usize,
    problems: &mut Vec<Problem>,
) -> Result<Rows> {
    let mut rows: Rows = std::iter::repeat_with(|| None).take(plans.len()).collect();
    let work = plans.into_iter().enumerate().filter_map(|(at, plan)| Some((at, plan?)));
    let mut reads = futures::stream::iter(work)
        .map(|(at, plan)| {
            let (lake, reader) = (Arc::clone(lake), Arc::clone(reader));
            let task = SpawnedTask::spawn(async move { reader.read(&lake, &lake.tables[at], &plan).await });
            async move { (at, task.join().await) }
        })
        .buffer_unordered(threads * 2);
    while let Some((at, read)) = reads.next().await {
        match read.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))? {
            Ok(read) => rows[at] = Some(read),
            Err(e) if matches!(e.find_root(), DataFusionError::ResourcesExhausted(_)) => return Err(e),
            Err(e) => problems.push(problem(lake, at, plain(&e.to_string()))),
        }
    }
    problems.sort_by(|a, b| a.table.cmp(&b.table));
    Ok(rows)
}

fn problem(lake: &Lake, at: usize, reason: String) -> Problem {
    let table = &lake.tables[at];
    Problem { table: table.name.clone(), kind: table.kind, files: table.files.len(), bytes: table.bytes, reason }
}

/// Takes a table out of the outcome.
fn leave_out(outcome: &mut Outcome, table: u32, reason: String) {
    outcome.found.retain(|found| found.child != table && found.parent != table);
    outcome.problems.push(problem(&outcome.lake, table as usize, reason));
}

async fn compare_samples(
    lake: &Arc<Lake>,
    samples: &Arc<Vec<Vec<Sample>>>,
    edges: Vec<Edge>,
    options: &Options,
    threads: usize,
) -> Result<Vec<Found>> {
    let chunks: Vec<Vec<Edge>> = edges.chunks(1024).map(<[Edge]>::to_vec).collect();
    let found: Vec<Vec<Found>> = futures::stream::iter(chunks)
        .map(|chunk| {
            let (lake, samples, options) = (Arc::clone(lake), Arc::clone(samples), options.clone());
            let task = SpawnedTask::spawn_blocking(move || {
                let judged = chunk.into_iter().filter_map(|edge| {
                    sketch::judge(&lake, edge, &samples[edge.0 as usize], &samples[edge.1 as usize], &options)
                });
                judged.collect::<Vec<Found>>()
            });
            async move { task.join().await.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e))) }
        })
        .buffered(threads)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

async fn prove_bytes(outcome: &mut Outcome, reader: &Arc<Reader>, options: &Options, threads: usize) -> Result<()> {
    let work = std::mem::take(&mut outcome.found);
    let mut proofs = futures::stream::iter(work)
        .map(|found| {
            let (lake, reader, rows) = (Arc::clone(&outcome.lake), Arc::clone(reader), options.rows);
            let task = SpawnedTask::spawn(async move {
                let (child, parent) = (&lake.tables[found.child as usize], &lake.tables[found.parent as usize]);
                let proved = bytes::contained(&lake, &reader, child, parent, found.mapping.as_deref(), rows).await;
                (found, proved)
            });
            async move { task.join().await }
        })
        .buffered(threads);
    let (mut found, mut problems) = (vec![], vec![]);
    while let Some(proof) = proofs.next().await {
        match proof.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))? {
            (pair, Ok(true)) => found.push(Found { state: State::ByteExact, ..pair }),
            (pair, Ok(false)) => log::warn!(
                "row hashes of {} and {} collide: not contained",
                outcome.lake.tables[pair.child as usize].name,
                outcome.lake.tables[pair.parent as usize].name
            ),
            (pair, Err(e)) => problems.push(problem(&outcome.lake, pair.child as usize, plain(&e.to_string()))),
        }
    }
    drop(proofs);
    outcome.found = found;
    outcome.problems.extend(problems);
    Ok(())
}
