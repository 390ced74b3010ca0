//! Projected gradient ascent over the whole retrieval log, which is held in memory at 24 bytes per result.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{Result, exec_err, internal_datafusion_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::TryStreamExt;

use super::{MultilinearImportance, NAME};
use crate::kernels::learn::multilinear::Gradient;
use crate::operators::frame::Work;
use crate::operators::interner::{Names, SortedNames};

/// Queries are divided into this many shards, whatever the number of threads, so that sums are the same everywhere.
const SHARDS: usize = 16;

/// One result of one query, with names as numbers.
#[derive(Debug, Clone, Copy)]
struct Retrieved {
    query: u32,
    source: u32,
    rank: i64,
    utility: f64,
}

/// All results, ordered by query and rank, and the names of the sources.
struct Log {
    results: Vec<Retrieved>,
    sources: SortedNames,
    /// The group of every source, with both given by position.
    groups: Option<(Vec<u32>, SortedNames)>,
    _memory: MemoryReservation,
}

/// Computes the importance of every source.
pub(super) async fn run(parameters: MultilinearImportance, mut work: Work) -> Result<SendableRecordBatchStream> {
    let log = gather(&mut work).await?;
    let (threads, schema) = (work.threads(), Arc::clone(&work.schema));
    let batch = SpawnedTask::spawn_blocking(move || {
        let importance = ascend(&parameters, &log, threads);
        answer(&log, importance, schema)
    });
    let batch = batch.join().await.map_err(|e| internal_datafusion_err!("{NAME}: {e}"))??;
    let batches = futures::stream::iter(vec![Ok(batch)]);
    Ok(Box::pin(RecordBatchStreamAdapter::new(work.schema, batches)))
}

async fn gather(work: &mut Work) -> Result<Log> {
    let schema = work.input.schema();
    // End these borrows before awaiting rows.
    let (mut queries, mut sources, mut groups) = {
        let names = |role: usize| {
            let data_type = schema.field(work.column(role)).data_type();
            Names::try_new(NAME, work.name(role), data_type, &work.context.task)
        };
        let groups = if work.columns[0].len() > 4 { Some((names(4)?, Vec::<Option<u32>>::new())) } else { None };
        (names(0)?, names(2)?, groups)
    };
    let memory = MemoryConsumer::new(format!("results of {NAME}")).register(work.context.task.memory_pool());
    let mut results: Vec<Retrieved> = vec![];
    while let Some(batch) = work.input.try_next().await? {
        memory.try_grow(batch.num_rows() * (size_of::<Retrieved>() + size_of::<u64>()))?;
        let column = |role: usize| batch.column(work.column(role));
        let (query, source) = (queries.number(column(0))?, sources.number(column(2))?);
        let group = groups.as_mut().map(|(names, _)| names.number(column(4))).transpose()?;
        let (rank, utility) = (cast(column(1), &DataType::Int64)?, cast(column(3), &DataType::Float64)?);
        for (role, column) in [(1, &rank), (3, &utility)] {
            if column.null_count() > 0 {
                return exec_err!("{NAME}: column `{}` has {} NULL in a batch", work.name(role), column.null_count());
            }
        }
        let (rank, utility) = (rank.as_primitive::<Int64Type>(), utility.as_primitive::<Float64Type>());
        for row in 0..batch.num_rows() {
            let utility = utility.value(row);
            if !utility.is_finite() {
                return exec_err!("{NAME}: column `{}` has {utility}", work.name(3));
            }
            results.push(Retrieved { query: query[row], source: source[row], rank: rank.value(row), utility });
            if let (Some(group), Some((_, known))) = (&group, &mut groups) {
                let at = source[row] as usize;
                if known.len() <= at {
                    known.resize(at + 1, None);
                }
                if known[at].replace(group[row]).is_some_and(|other| other != group[row]) {
                    return exec_err!(
                        "{NAME}: a source of column `{}` is in two groups of `{}`",
                        work.name(2),
                        work.name(4)
                    );
                }
            }
        }
    }
    let (queries, sources) = (queries.finish(), sources.finish());
    for result in &mut results {
        (result.query, result.source) = (queries.place(result.query), sources.place(result.source));
    }
    results.sort_unstable_by_key(|result| (result.query, result.rank));
    if let Some(pair) = results.windows(2).find(|pair| (pair[0].query, pair[0].rank) == (pair[1].query, pair[1].rank)) {
        return exec_err!("{NAME}: rank {} comes twice in a query", pair[0].rank);
    }
    let groups = groups.map(|(names, of_source)| {
        let names = names.finish();
        let mut places = vec![0; sources.len()];
        for (number, group) in of_source.into_iter().enumerate() {
            places[sources.place(number as u32) as usize] = group.map_or(0, |group| names.place(group));
        }
        (places, names)
    });
    Ok(Log { results, sources, groups, _memory: memory })
}

/// Computes the probability with which each source should be included.
fn ascend(parameters: &MultilinearImportance, log: &Log, threads: usize) -> Vec<f64> {
    let rate = parameters.rate.get();
    let queries: Vec<&[Retrieved]> = log.results.chunk_by(|a, b| a.query == b.query).collect();
    let mut probabilities = vec![0.5; log.sources.len()];
    for _ in 0..parameters.steps {
        let gradient = gradient(&queries, &probabilities, parameters.k as usize, threads);
        for (probability, slope) in probabilities.iter_mut().zip(gradient) {
            *probability = (*probability + rate * slope / queries.len() as f64).clamp(0.0, 1.0);
        }
        if let Some((groups, names)) = &log.groups {
            average(&mut probabilities, groups, names.len());
        }
    }
    probabilities
}

/// Sums, over all queries, the derivative with respect to the probability of every source.
fn gradient(queries: &[&[Retrieved]], probabilities: &[f64], k: usize, threads: usize) -> Vec<f64> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done: Vec<(usize, Vec<(u32, f64)>)> = vec![];
        let (mut program, mut utilities, mut there) = (Gradient::new(k), vec![], vec![]);
        loop {
            let shard = next.fetch_add(1, Ordering::Relaxed);
            if shard >= SHARDS {
                return done;
            }
            let mut slopes = vec![];
            for results in &queries[queries.len() * shard / SHARDS..queries.len() * (shard + 1) / SHARDS] {
                utilities.clear();
                utilities.extend(results.iter().map(|result| result.utility));
                there.clear();
                there.extend(results.iter().map(|result| probabilities[result.source as usize]));
                program.of(&utilities, &there, |at, slope| slopes.push((results[at].source, slope)));
            }
            done.push((shard, slopes));
        }
    };
    let mut parts = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.clamp(1, SHARDS)).map(|_| scope.spawn(work)).collect();
        let mut parts = work();
        for other in others {
            match other.join() {
                Ok(more) => parts.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        parts
    });
    parts.sort_by_key(|(shard, _)| *shard);
    let mut sum = vec![0.0; probabilities.len()];
    for (source, slope) in parts.into_iter().flat_map(|(_, slopes)| slopes) {
        sum[source as usize] += slope;
    }
    sum
}

/// Replaces the probability of every source by the mean of its group.
fn average(probabilities: &mut [f64], groups: &[u32], count: usize) {
    let mut sums = vec![(0.0, 0_u32); count];
    for (probability, group) in probabilities.iter().zip(groups) {
        let (sum, members) = &mut sums[*group as usize];
        *sum += probability;
        *members += 1;
    }
    for (probability, group) in probabilities.iter_mut().zip(groups) {
        let (sum, members) = sums[*group as usize];
        *probability = sum / f64::from(members);
    }
}

fn answer(log: &Log, importance: Vec<f64>, schema: SchemaRef) -> Result<RecordBatch> {
    let mut columns: Vec<ArrayRef> = vec![log.sources.column(0..importance.len())?];
    if let Some((groups, names)) = &log.groups {
        columns.push(names.column(groups.iter().map(|group| *group as usize))?);
    }
    columns.push(Arc::new(Float64Array::from(importance)));
    Ok(RecordBatch::try_new(schema, columns)?)
}
