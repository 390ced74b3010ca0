//! Runs `nearest_neighbors`: reads the rows, builds the IVF lists, then returns the neighbours block by block.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::metrics::MetricBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt};

use super::cells::Cells;
use super::index::{self, Origin};
use super::parameters::NAME;
use super::parameters::NearestNeighbors;
use super::probes;
use super::search::{Ordered, Scratch, Search};
use crate::kernels::vector::codes::{Codes, MOST_DIMENSIONS};
use crate::kernels::vector::search::Best;
use crate::operators::frame::{OperatorContext, Whole, Work};
use crate::operators::kmeans::fit::{assign, members};
use crate::operators::kmeans::problem::{Model, Problem};
use crate::operators::vectors::codes::CodeStore;
use crate::operators::vectors::table::{Layout, Table};
use crate::operators::workers::Workers;
use crate::storage::vectors::{VectorStore, Vectors};

/// Bytes per row beyond its vector: its number, its position, and what the table keeps about it.
const ROW: usize = 64;

/// Runs `nearest_neighbors` and returns one row per pair. Memory: O(rows), for a few numbers and the id of each row; vectors
/// spill to disk.
pub(super) async fn run(call: NearestNeighbors, work: Work) -> Result<SendableRecordBatchStream> {
    let Work { input, columns, schema, context, others, .. } = work;
    let among = others.first().map(Whole::rows).transpose()?;
    let reservation = MemoryConsumer::new(NAME).register(&context.task.runtime_env().memory_pool);
    let read = |columns: &[usize], input| {
        let (vec, id) = (columns[0], columns[1]);
        let layout = Layout { vec, id, partition_by: None, order_by: vec![], seed: None };
        let (context, metric) = (context.clone(), call.metric);
        async move { Table::read(NAME, metric, &layout, input, &context).await }
    };
    let (base, queries) = match among {
        Some(among) => (read(&columns[1], among).await?, Some(read(&columns[0], input).await?)),
        None => (read(&columns[0], input).await?, None),
    };
    if let Some(queries) = &queries
        && let (a, b) = (queries.vectors.dimensions(), base.vectors.dimensions())
        && a != b
        && !queries.vectors.is_empty()
        && !base.vectors.is_empty()
    {
        return exec_err!("{NAME}: the vectors have {a} dimensions and those of `among` {b}; both must have the same");
    }
    if base.vectors.dimensions() > MOST_DIMENSIONS {
        return exec_err!("{NAME}: vectors have {} dimensions; at most {MOST_DIMENSIONS}", base.vectors.dimensions());
    }
    let ids = ids(&base, &reservation).await?;
    let ids_of_queries = match &queries {
        Some(queries) => Some(self::ids(queries, &reservation).await?),
        None => None,
    };
    let inner = context.clone();
    let workers = Workers::new(&context.task);
    let prepare =
        move |workers: &Workers| prepare(call, (base, ids), queries.zip(ids_of_queries), reservation, &inner, workers);
    let search = Arc::new(workers.run(NAME, prepare).await?);
    Ok(stream(search, workers, schema))
}

/// Reads the ids of the vectors of a table.
async fn ids(table: &Table, reservation: &MemoryReservation) -> Result<ArrayRef> {
    let ids = table.ids(&table.row_of).await?;
    reservation.try_grow(ids.get_array_memory_size() + table.count * ROW)?;
    Ok(ids)
}

/// Builds or reads the lists, arranges all vectors in list order, and measures how many lists a row must visit.
fn prepare(
    call: NearestNeighbors,
    (base, ids): (Table, ArrayRef),
    queries: Option<(Table, ArrayRef)>,
    reservation: MemoryReservation,
    context: &OperatorContext,
    workers: &Workers,
) -> Result<Search> {
    let cells = match &call.index {
        None => Cells::find(&call, &base, context, workers)?,
        Some(path) => {
            let origin = Origin::of(&call, &base)?;
            match index::read(path, &origin, &reservation)? {
                Some(cells) => cells,
                None => {
                    let cells = Cells::find(&call, &base, context, workers)?;
                    index::write(path, &origin, &cells, &reservation)?;
                    cells
                }
            }
        }
    };
    reservation.try_grow(cells.size())?;
    let queries = match queries {
        Some((table, ids)) => {
            let order = order_of(&call, &cells, &table, context, workers)?;
            Some(ordered(table.vectors, &table.squared, order, ids, context)?)
        }
        None => None,
    };
    let base = ordered(base.vectors, &base.squared, cells.members.clone(), ids, context)?;
    let gauge = |name, value| MetricBuilder::new(&context.metrics).gauge(name, 0).set(value);
    let compared = MetricBuilder::new(&context.metrics).counter("compared_pairs", 0);
    let codes = CodeStore::new("codes of nearest_neighbors", &base.vectors, &context.task.runtime_env(), workers)?;
    let centroids = Codes::of(&cells.centroids, cells.dimensions);
    let mut search =
        Search { call, queries, base, codes, cells, centroids, probes: 0, compared, _reservation: reservation };
    let measured = probes::measure(&search, workers)?;
    search.probes = measured.probes;
    gauge("cells", search.cells.len());
    gauge("cells_a_row", measured.probes);
    if measured.neighbors > 0 {
        gauge("measured_neighbors", measured.neighbors);
        gauge("measured_recall_millionths", (measured.recall * 1e6) as usize);
    }
    Ok(search)
}

/// Orders rows so that those visiting the same lists are adjacent.
fn order_of(
    call: &NearestNeighbors,
    cells: &Cells,
    table: &Table,
    context: &OperatorContext,
    workers: &Workers,
) -> Result<Vec<u32>> {
    let count = table.vectors.len();
    if cells.len() <= 1 {
        return Ok((0..count as u32).collect());
    }
    let centroids = cells.centroids();
    let (centroids, squared) = (centroids.values.to_vec(), centroids.squared.to_vec());
    let model = Model { dimensions: cells.dimensions, centroids, squared, ..Model::default() };
    let problem = Problem {
        env: &context.task.runtime_env(),
        op: NAME,
        vectors: &table.vectors,
        squared: &table.squared,
        metric: call.metric,
        k: cells.len(),
        iterations: 0,
        seed: call.seed,
        balanced: false,
        rough: true,
    };
    let nearest = assign(&problem, &model, workers)?;
    Ok(members(nearest.iter().map(|best| best.number), cells.len()).0)
}

/// Copies the vectors in the order `numbers`.
fn ordered(
    vectors: Vectors,
    squared: &[f64],
    numbers: Vec<u32>,
    ids: ArrayRef,
    context: &OperatorContext,
) -> Result<Ordered> {
    let squared = numbers.iter().map(|&at| squared[at as usize]).collect();
    if numbers.is_sorted() {
        return Ok(Ordered { vectors, squared, numbers, ids });
    }
    let mut store =
        VectorStore::new("vectors of nearest_neighbors", &context.task.runtime_env(), context.spills.clone());
    let mut buffer = vec![];
    for &at in &numbers {
        store.push(vectors.block(at as usize, at as usize + 1, &mut buffer)?)?;
    }
    Ok(Ordered { vectors: store.finish()?, squared, numbers, ids })
}

/// Streams the pairs, a few blocks of rows at a time.
fn stream(search: Arc<Search>, workers: Workers, schema: SchemaRef) -> SendableRecordBatchStream {
    let size = search.block();
    let blocks = search.queries().numbers.len().div_ceil(size);
    let step = workers.threads() * 2;
    let output_schema = Arc::clone(&schema);
    let output = futures::stream::iter((0..blocks).step_by(step)).then(move |first| {
        let (search, workers, schema) = (Arc::clone(&search), workers.clone(), Arc::clone(&schema));
        async move {
            let count = step.min(blocks - first);
            let found = workers
                .run(NAME, move |workers| {
                    workers.map(count, |block, scratch: &mut (Scratch, Vec<f32>)| {
                        let at = (first + block) * size;
                        batch(&search, at..at + size, scratch, &schema)
                    })
                })
                .await?;
            Ok::<_, DataFusionError>(futures::stream::iter(found.into_iter().map(Ok)))
        }
    });
    Box::pin(RecordBatchStreamAdapter::new(output_schema, output.try_flatten()))
}

/// Builds the output batch for a block of rows.
fn batch(
    search: &Search,
    block: Range<usize>,
    (scratch, buffer): &mut (Scratch, Vec<f32>),
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let queries = search.queries();
    let span = block.start..block.end.min(queries.numbers.len());
    let numbers = &queries.numbers[span.clone()];
    let found = search.neighbors(queries.rows(&span, buffer)?, numbers, search.probes, scratch)?;
    let pairs = || numbers.iter().zip(&found).flat_map(|(&number, found)| found.iter().map(move |best| (number, best)));
    let own: UInt32Array = pairs().map(|(number, _)| Some(number)).collect();
    let other: UInt32Array = pairs().map(|(_, best)| Some(best.number)).collect();
    let rank = found.iter().flat_map(|found| 1..=found.len() as i64);
    let distance = pairs().map(|(_, best): (u32, &Best)| search.call.metric.distance(best.score));
    let columns: Vec<ArrayRef> = vec![
        take(&queries.ids, &own, None)?,
        Arc::new(Int64Array::from_iter_values(rank)),
        take(&search.base.ids, &other, None)?,
        Arc::new(Float64Array::from_iter_values(distance)),
    ];
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
