//! Runs `connected_components`. Edges are read once and stored, spilling to disk. Their ends are numbered in the order of the
//! ids, which takes a sort. Connected numbers are then joined into sets, and the smallest number of a set names it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::compute::{SortOptions, concat};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit};
use datafusion::physical_plan::metrics::MetricBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt};

use super::NAME;
use crate::kernels::union_find::UnionFind;
use crate::operators::frame::{OperatorContext, Work};
use crate::operators::workers::Workers;
use crate::storage::batches::{BatchStore, StoredBatches};
use crate::storage::blobs::{BlobWriter, Blobs};
use crate::storage::numbers::Numbers;
use crate::storage::records::RecordSorter;
use crate::storage::sort::sort_stored;

/// Stored edges may take 1 / `SHARE` of the memory limit, since the sets need the rest.
const SHARE: usize = 8;

/// The distinct ids in ascending order, and for both ends of each edge their index among them.
struct Ends {
    /// The ids, in Arrow's row format.
    ids: Blobs,
    /// Where each id ends.
    stops: Numbers<u64>,
    /// Two numbers per edge.
    numbers: Numbers<u32>,
}

/// Reads all edges, joins their ends, and returns the edges with their components.
pub(super) async fn run(work: Work) -> Result<SendableRecordBatchStream> {
    let (source, target) = (work.column(0), work.column(1));
    let Work { mut input, schema, context, .. } = work;
    let env = context.task.runtime_env();
    let below = input.schema();
    let id = Field::new("id", below.field(source).data_type().clone(), false);
    let place = Field::new("place", DataType::UInt64, false);
    let end_schema = Arc::new(Schema::new(vec![id, place]));
    let most = match env.memory_pool.memory_limit() {
        MemoryLimit::Finite(limit) => limit / SHARE,
        _ => usize::MAX,
    };
    let store = |label, schema: &SchemaRef| {
        BatchStore::new(label, Arc::clone(schema), &env, context.spills.clone()).with_at_most(most)
    };
    let (mut edges, mut ends) = (store("edges", &below), store("ends of edges", &end_schema));
    while let Some(batch) = input.try_next().await? {
        let first = 2 * edges.rows() as u64;
        let count = batch.num_rows() as u64;
        for (end, column) in [source, target].into_iter().enumerate() {
            let ids = batch.column(column);
            if ids.null_count() > 0 {
                let name = below.field(column).name();
                return exec_err!("{NAME}: column `{name}` has {} NULL in a batch", ids.null_count());
            }
            let places: ArrayRef =
                Arc::new(UInt64Array::from_iter_values((0..count).map(|row| first + 2 * row + end as u64)));
            ends.push(RecordBatch::try_new(Arc::clone(&end_schema), vec![Arc::clone(ids), places])?)?;
        }
        edges.push(batch)?;
    }
    drop(input);
    let edges = edges.finish()?;
    let converter = RowConverter::new(vec![SortField::new(below.field(source).data_type().clone())])?;
    let ends = number(Arc::new(ends.finish()?), &converter, &context).await?;

    let memory = MemoryConsumer::new("components").register(&env.memory_pool);
    memory.try_grow(ends.stops.len() * size_of::<u32>())?;
    let (ends, mut joined, components) = Workers::new(&context.task)
        .run(NAME, move |workers| {
            let mut joined = UnionFind::new(ends.stops.len());
            let mut components = ends.stops.len();
            let mut numbers = ends.numbers.iter();
            while let (Some(from), Some(to)) = (numbers.next(), numbers.next()) {
                workers.check()?;
                components -= usize::from(joined.union(from?, to?));
            }
            drop(numbers);
            Ok((ends, joined, components))
        })
        .await?;
    MetricBuilder::new(&context.metrics).counter("components", 0).add(components);

    let (mut first, mut numbers, mut bytes) = (0, vec![], vec![]);
    let output_schema = Arc::clone(&schema);
    let output = edges.stream()?.map(move |batch| {
        let batch = batch?;
        let _held = &memory;
        ends.numbers.read(2 * first..2 * (first + batch.num_rows()), &mut numbers)?;
        first += batch.num_rows();
        let roots: Vec<u32> = numbers.iter().step_by(2).map(|end| joined.find(*end)).collect();
        let mut named = roots.clone();
        named.sort_unstable();
        named.dedup();
        let mut names = converter.empty_rows(named.len(), 0);
        let parser = converter.parser();
        for root in &named {
            let span = ends.stops.piece(*root as usize)?;
            bytes.resize(span.len(), 0);
            ends.ids.read(span.start as u64, &mut bytes)?;
            names.push(parser.parse(&bytes));
        }
        let rows = roots.iter().map(|root| names.row(named.partition_point(|named| named < root)));
        let mut columns = batch.columns().to_vec();
        columns.push(concat(&[converter.convert_rows(rows)?[0].as_ref()])?);
        Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(output_schema, output)))
}

/// Numbers the ids of all ends in ascending order, so that the smallest member of a set names it.
async fn number(ends: Arc<StoredBatches>, converter: &RowConverter, context: &OperatorContext) -> Result<Ends> {
    let env = context.task.runtime_env();
    let mut ids = BlobWriter::new("ids", &env);
    let (mut stops, mut numbers) = (context.numbers("places of ids"), context.numbers("numbers of ids"));
    let mut places = RecordSorter::<2>::new("places of ids", &env, context.spills.clone());
    let mut sorted =
        sort_stored("ends of edges", &ends, &[(0, SortOptions::default())], &context.task, context.spills.clone())?;
    let (mut last, mut stop): (Vec<u8>, u64) = (vec![], 0);
    while let Some(batch) = sorted.try_next().await? {
        let rows = converter.convert_columns(std::slice::from_ref(batch.column(0)))?;
        for (row, place) in rows.iter().zip(batch.column(1).as_primitive::<UInt64Type>().values()) {
            if stops.is_empty() || *last != *row.as_ref() {
                last.clear();
                last.extend_from_slice(row.as_ref());
                ids.append(&last)?;
                stop += last.len() as u64;
                if stops.len() == u32::MAX as usize {
                    return exec_err!("{NAME}: there are more than {} ids", u32::MAX);
                }
                stops.push(stop)?;
            }
            places.push([*place, stops.len() as u64 - 1])?;
        }
    }
    for (at, record) in places.finish()?.enumerate() {
        let [place, number] = record?;
        if place != at as u64 {
            return internal_err!("{NAME}: place {place} of an end stands at {at}");
        }
        numbers.push(number as u32)?;
    }
    Ok(Ends { ids: ids.finish()?, stops, numbers })
}
