//! Reads tables, and checks pairs that need the data read.

use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use futures::StreamExt;

use super::Rows;
use crate::graph::Edge;
use crate::graph::schema::SchemaGraph;
use crate::lake::discover::plain;
use crate::lake::{Lake, Problem};
use crate::options::{Options, Stage};
use crate::outcome::Outcome;
use crate::rows::sketch::Sample;
use crate::rows::{Cells, ReadPlan, Reader};
use crate::threads::in_chunks;
use crate::verify::{Found, State, bytes, sketch};

/// Pairs of samples compared in one task.
const CHUNK: usize = 1024;

/// What to read of each table: nothing of tables in no pair, and of parents only the columns that their children have.
pub(super) fn plans(
    lake: &Lake,
    graph: &SchemaGraph,
    sampled: &[Edge],
    others: &[Edge],
    options: &Options,
) -> Vec<Option<ReadPlan>> {
    let mut plans: Vec<Option<ReadPlan>> = vec![None; lake.tables.len()];
    let hashes = options.stage != Stage::Sketch;
    for &(child, parent) in sampled.iter().chain(others) {
        let (ours, theirs) = (&lake.tables[child as usize].columns, &lake.tables[parent as usize].columns);
        let plan = plans[child as usize].get_or_insert_default();
        plan.hashes = hashes;
        plan.only = Some((0..ours.len()).collect());
        let plan = plans[parent as usize].get_or_insert_default();
        let narrower = ours.len() < theirs.len();
        plan.hashes |= hashes && !narrower;
        plan.project |= hashes && narrower;
        let place = |name: &str| theirs.iter().position(|column| *column.name == *name);
        plan.only.get_or_insert_default().extend(ours.iter().filter_map(|column| place(&column.name)));
    }
    for (plan, anchors) in plans.iter_mut().zip(sketch::anchors(lake, graph, sampled)) {
        if let Some(plan) = plan {
            plan.anchors = anchors;
        }
    }
    plans
}

/// Reads what is planned; `cells` were read before.
pub(super) async fn read_all(
    lake: &Arc<Lake>,
    reader: &Arc<Reader>,
    plans: Vec<Option<ReadPlan>>,
    mut cells: Vec<Cells>,
    reads: usize,
    problems: &mut Vec<Problem>,
) -> Result<Rows> {
    let mut rows: Rows = std::iter::repeat_with(|| None).take(plans.len()).collect();
    cells.resize(plans.len(), Cells::new());
    let work = plans.into_iter().zip(cells).enumerate().filter_map(|(at, (plan, cells))| Some((at, plan?, cells)));
    let mut reads = futures::stream::iter(work)
        .map(|(at, plan, cells)| {
            let (lake, reader) = (Arc::clone(lake), Arc::clone(reader));
            let task = SpawnedTask::spawn(async move { reader.read(&lake, &lake.tables[at], &plan, cells).await });
            async move { (at, task.join().await) }
        })
        .buffer_unordered(reads);
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

/// A table that is left out.
pub(super) fn problem(lake: &Lake, at: usize, reason: String) -> Problem {
    let table = &lake.tables[at];
    Problem { table: table.name.clone(), kind: table.kind, files: table.files.len(), bytes: table.bytes, reason }
}

/// Takes a table out of the outcome.
pub(super) fn leave_out(outcome: &mut Outcome, table: u32, reason: String) {
    outcome.found.retain(|found| found.child != table && found.parent != table);
    outcome.problems.push(problem(&outcome.lake, table as usize, reason));
}

/// The pairs that samples of both tables let pass.
pub(super) async fn compare_samples(
    lake: &Arc<Lake>,
    samples: &Arc<Vec<Vec<Sample>>>,
    edges: Vec<Edge>,
    options: &Options,
    threads: usize,
) -> Result<Vec<Found>> {
    let (lake, samples, options) = (Arc::clone(lake), Arc::clone(samples), options.clone());
    in_chunks(edges, CHUNK, threads, move |chunk: Vec<Edge>| {
        let judged = chunk.into_iter().filter_map(|edge| {
            sketch::judge(&lake, edge, &samples[edge.0 as usize], &samples[edge.1 as usize], &options)
        });
        Ok(judged.collect())
    })
    .await
}

/// Lends the samples of what was read.
pub(super) fn swap_samples(rows: &mut Rows, samples: &mut [Vec<Sample>]) {
    for (rows, samples) in rows.iter_mut().zip(samples) {
        if let Some(rows) = rows {
            std::mem::swap(&mut rows.samples, samples);
        }
    }
}

/// Keeps those of the pairs found that hold byte for byte.
pub(super) async fn prove_bytes(
    outcome: &mut Outcome,
    reader: &Arc<Reader>,
    options: &Options,
    threads: usize,
) -> Result<()> {
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
