//! The stages in their order.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::{StreamExt, TryStreamExt};

use crate::graph::minmax::Minmax;
use crate::graph::schema::SchemaGraph;
use crate::graph::{Counts, Edge};
use crate::lake::discover::{Listed, discover, plain};
use crate::lake::{Lake, Problem};
use crate::options::{Options, Stage};
use crate::rows::{ReadPlan, Reader, TableRows};
use crate::verify::decide::Context;
use crate::verify::judge::Judge;
use crate::verify::{Found, State, bytes, sketch};

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

/// Runs the stages up to `options.stage`.
///
/// # Errors
/// Those of memory and temporary files; a table that cannot be read is a problem of the outcome.
pub async fn run(listed: Listed, options: &Options, env: &Arc<RuntimeEnv>, threads: usize) -> Result<Outcome> {
    let lake = Arc::new(discover(listed, options.layout, options.names).await?);
    let mut outcome = Outcome { problems: lake.problems.clone(), found: vec![], counts: Counts::default(), lake };
    outcome.counts.bytes_read = outcome.lake.bytes_read;
    let graph = SchemaGraph::new(&outcome.lake, options);
    let edges = candidates(&mut outcome, &graph, options, env)?;
    match options.stage {
        Stage::Schema => {
            outcome.found = edges.iter().map(|&edge| Found::metadata(edge, State::SchemaContained)).collect()
        }
        Stage::Minmax => {
            outcome.found = edges.iter().map(|&edge| Found::metadata(edge, State::MinmaxConsistent)).collect()
        }
        Stage::Sketch | Stage::Sampled | Stage::Exact | Stage::Bytes => {
            read_and_decide(&mut outcome, &graph, edges, options, env, threads.max(1)).await?;
        }
    }
    outcome.counts.contained = outcome.found.len() as u64;
    outcome.found.sort_unstable_by_key(|found| (found.child, found.parent));
    Ok(outcome)
}

/// The pairs that metadata allows.
fn candidates(
    outcome: &mut Outcome,
    graph: &SchemaGraph,
    options: &Options,
    env: &Arc<RuntimeEnv>,
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
            minmax.prune(graph, block, &mut edges);
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
) -> Result<()> {
    let reader = Arc::new(Reader::new(env, options.types.form()));
    let lake = Arc::clone(&outcome.lake);
    // Samples can rule out whole containments only. Pairs of one schema need none: comparing the sorted hashes that they
    // have anyway ends as early.
    let width = |table: u32| lake.tables[table as usize].columns.len();
    let sampled = |edge: &Edge| match options.stage {
        _ if options.threshold < 1.0 => false,
        Stage::Sketch => true,
        Stage::Exact | Stage::Bytes => width(edge.0) < width(edge.1),
        Stage::Schema | Stage::Minmax | Stage::Sampled => false,
    };
    let (edges, others): (Vec<Edge>, Vec<Edge>) = edges.into_iter().partition(sampled);
    let plans = plans(&lake, graph, &edges, &others, options);
    let rows = Arc::new(read_all(&lake, &reader, plans, threads, &mut outcome.problems).await?);
    let readable = |edge: &Edge| rows[edge.0 as usize].is_some() && rows[edge.1 as usize].is_some();
    let edges: Vec<Edge> = edges.into_iter().filter(readable).collect();
    let consistent = compare_samples(&lake, &rows, edges, options, threads).await?;
    outcome.counts.sketch = (consistent.len() + others.len()) as u64;
    if options.stage == Stage::Sketch {
        outcome.found = consistent;
    } else {
        let left = consistent.iter().map(|found| (found.child, found.parent));
        let edges = others.into_iter().filter(readable).chain(left).collect();
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
    if options.stage == Stage::Bytes {
        prove_bytes(outcome, &reader, options, threads).await?;
    }
    outcome.counts.bytes_read += reader.bytes_read.load(Ordering::Relaxed);
    outcome.counts.scanned = reader.scanned.load(Ordering::Relaxed);
    Ok(())
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
) -> Result<Vec<Option<TableRows>>> {
    let mut rows: Vec<Option<TableRows>> = std::iter::repeat_with(|| None).take(plans.len()).collect();
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
    rows: &Arc<Vec<Option<TableRows>>>,
    edges: Vec<Edge>,
    options: &Options,
    threads: usize,
) -> Result<Vec<Found>> {
    let chunks: Vec<Vec<Edge>> = edges.chunks(1024).map(<[Edge]>::to_vec).collect();
    let found: Vec<Vec<Found>> = futures::stream::iter(chunks)
        .map(|chunk| {
            let (lake, rows, options) = (Arc::clone(lake), Arc::clone(rows), options.clone());
            let task = SpawnedTask::spawn_blocking(move || {
                let judged = chunk.into_iter().filter_map(|edge| {
                    let (child, parent) = (rows[edge.0 as usize].as_ref()?, rows[edge.1 as usize].as_ref()?);
                    sketch::judge(&lake, edge, child, parent, &options)
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
                let proved = bytes::contained(&lake, &reader, child, parent, rows).await;
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
