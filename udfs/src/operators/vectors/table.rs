//! Stores rows with their vectors until all have been read, then orders them.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::metrics::MetricBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt};
use hashbrown::HashMap;

use crate::functions::sampling::priority::bits_of_ids;
use crate::functions::vector::embeddings::Embeddings;
use crate::kernels::vector::arithmetic::squared_norm;
use crate::kernels::vector::search::Metric;
use crate::operators::dedup::ranks::{KeyWriter, Keys};
use crate::operators::dedup::resolution::NONE;
use crate::operators::frame::OperatorContext;
use crate::storage::batches::{BatchStore, StoredBatches};
use crate::storage::vectors::{VectorStore, Vectors};

/// Maximum squared length. Beyond it, products of 32-bit floats overflow.
pub const LONGEST: f64 = 1e30;

/// Bytes in memory per row, in addition to what spills.
const ROW: usize = 64;

/// The columns to read.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The vector column, which is not passed through.
    pub vec: usize,
    /// Column of the row key.
    pub id: usize,
    /// Column whose values divide the rows into independent groups.
    pub partition_by: Option<usize>,
    /// Order of the rows in a group; ties are broken by id.
    pub order_by: Vec<(usize, SortOptions)>,
    /// Seed of the random bits of each row, if these are wanted.
    pub seed: Option<u64>,
}

/// All rows. Vectors are ordered by group, then by the order of the rows.
pub struct Table {
    /// The columns that are passed through, in arrival order.
    pub rows: StoredBatches,
    /// The vectors that can be compared: those with a direction (cosine), or those that are not NULL (l2).
    pub vectors: Vectors,
    /// The squared length of each vector.
    pub squared: Vec<f64>,
    /// The row of each vector.
    pub row_of: Vec<u32>,
    /// Random bits of each vector, derived from its id and the seed, if there is one.
    pub bits: Vec<u64>,
    /// The range of vectors of each group.
    pub groups: Vec<Range<usize>>,
    /// Number of rows.
    pub count: usize,
    keys: Keys,
    reservation: MemoryReservation,
}

impl Table {
    /// Reads all rows of the input of `op`.
    pub async fn read(
        op: &'static str,
        metric: Metric,
        layout: &Layout,
        mut input: SendableRecordBatchStream,
        context: &OperatorContext,
    ) -> Result<Self> {
        let env = context.task.runtime_env();
        let below = input.schema();
        let passed: Vec<usize> = (0..below.fields().len()).filter(|&column| column != layout.vec).collect();
        let mut rows = BatchStore::new(op, Arc::new(below.project(&passed)?), &env, context.spills.clone());
        let mut keys = KeyWriter::new(op, &below, layout.id, &layout.order_by, context);
        let mut vectors = VectorStore::new(op, &env, context.spills.clone());
        let reservation = MemoryConsumer::new(op).register(&env.memory_pool);
        let (mut squared, mut row_of, mut group_of, mut bits) = (vec![], vec![], vec![], vec![]);
        let mut groups = match layout.partition_by {
            Some(column) => Some(Groups::try_new(&below, column)?),
            None => None,
        };
        while let Some(batch) = input.try_next().await? {
            reservation.try_grow(batch.num_rows() * ROW)?;
            let first = rows.rows();
            keys.push(&batch)?;
            let numbers = match (&mut groups, layout.partition_by) {
                (Some(groups), Some(column)) => Some(groups.numbers(batch.column(column), &reservation)?),
                _ => None,
            };
            let random = match layout.seed {
                Some(seed) => Some(bits_of_ids(op, seed, batch.column(layout.id))?),
                None => None,
            };
            let found = Embeddings::try_new(op, batch.column(layout.vec))?;
            for row in 0..batch.num_rows() {
                let id = || Id { op, ids: batch.column(layout.id), row };
                if let Some((vector, length)) = comparable(&found, row, metric).map_err(|e| id().at(e))? {
                    vectors.push(vector).map_err(|e| id().at(e))?;
                    squared.push(length);
                    row_of.push((first + row) as u32);
                    bits.extend(random.as_ref().map(|random| random[row]));
                    group_of.push(numbers.as_ref().map_or(0, |numbers| numbers[row]));
                }
            }
            rows.push(batch.project(&passed)?)?;
        }
        drop(input);
        let count = rows.rows();
        let counter = MetricBuilder::new(&context.metrics).counter("rows_without_vector", 0);
        counter.add(count - row_of.len());
        let keys = keys.finish()?;
        let ranks = keys.ranks(op, context).await?;
        let ranked = row_of.iter().map(|&row| ranks.survivor.get(row as usize));
        let ranked: Vec<u32> = ranked.collect::<Result<_>>()?;
        drop(ranks);
        let mut order: Vec<u32> = (0..row_of.len() as u32).collect();
        order.sort_unstable_by_key(|&at| (group_of[at as usize], ranked[at as usize]));
        drop(ranked);
        let mut spans: Vec<Range<usize>> = vec![];
        for (place, &at) in order.iter().enumerate() {
            match spans.last_mut() {
                Some(span) if group_of[order[span.start] as usize] == group_of[at as usize] => span.end = place + 1,
                _ => spans.push(place..place + 1),
            }
        }
        let vectors = vectors.finish()?;
        let vectors = reorder(op, vectors, &order, context)?;
        let squared = order.iter().map(|&at| squared[at as usize]).collect();
        let row_of = order.iter().map(|&at| row_of[at as usize]).collect();
        if !bits.is_empty() {
            bits = order.iter().map(|&at| bits[at as usize]).collect();
        }
        Ok(Self { rows: rows.finish()?, vectors, squared, row_of, bits, groups: spans, count, keys, reservation })
    }

    /// The ids of rows; NULL for [`NONE`].
    pub async fn ids(&self, rows: &[u32]) -> Result<ArrayRef> {
        let mut named: Vec<u32> = rows.iter().copied().filter(|row| *row != NONE).collect();
        named.sort_unstable();
        named.dedup();
        let ids = self.keys.ids(&named).await?;
        let at: UInt32Array =
            rows.iter().map(|&row| (row != NONE).then(|| named.partition_point(|&named| named < row) as u32)).collect();
        Ok(take(&ids, &at, None)?)
    }

    /// Streams the rows in arrival order, each with its row of `added`.
    pub fn stream(self, added: Vec<ArrayRef>, schema: SchemaRef) -> Result<SendableRecordBatchStream> {
        append(&self.rows, added, schema, Some(self.reservation))
    }
}

/// Appends to stored rows their rows of `added`.
pub fn append(
    rows: &StoredBatches,
    added: Vec<ArrayRef>,
    schema: SchemaRef,
    held: Option<MemoryReservation>,
) -> Result<SendableRecordBatchStream> {
    let mut first = 0;
    let output_schema = Arc::clone(&schema);
    let output = rows.stream()?.map(move |batch| {
        let batch = batch?;
        let _held = &held;
        let mut columns = batch.columns().to_vec();
        columns.extend(added.iter().map(|column| column.slice(first, batch.num_rows())));
        first += batch.num_rows();
        Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(output_schema, output)))
}

/// Puts the vectors into another order.
fn reorder(op: &'static str, vectors: Vectors, order: &[u32], context: &OperatorContext) -> Result<Vectors> {
    if order.iter().enumerate().all(|(place, &at)| place == at as usize) {
        return Ok(vectors);
    }
    let mut ordered = VectorStore::new(op, &context.task.runtime_env(), context.spills.clone());
    let mut buffer = vec![];
    for &at in order {
        ordered.push(vectors.block(at as usize, at as usize + 1, &mut buffer)?)?;
    }
    ordered.finish()
}

/// Returns the vector of a row with its squared length, if it can be compared.
pub fn comparable<'a>(found: &'a Embeddings, row: usize, metric: Metric) -> Result<Option<(&'a [f32], f64)>> {
    let Some(vector) = found.finite(row)? else { return Ok(None) };
    let squared = squared_norm(vector);
    if squared > LONGEST || (squared < 1.0 / LONGEST && squared > 0.0) {
        return exec_err!("a vector has length {}; lengths must be between 1e-15 and 1e15", squared.sqrt());
    }
    Ok((metric == Metric::L2 || squared > 0.0).then_some((vector, squared)))
}

/// The key of a row, for error messages.
pub struct Id<'a> {
    /// Name of the operator.
    pub op: &'static str,
    /// The column of keys.
    pub ids: &'a ArrayRef,
    /// Index of the row.
    pub row: usize,
}

impl Id<'_> {
    /// Adds the name of the operator and the key of the row to an error.
    pub fn at(&self, error: DataFusionError) -> DataFusionError {
        let Ok(id) = arrow::util::display::array_value_to_string(self.ids, self.row) else { return error };
        let message = error.message();
        let message =
            message.strip_prefix(self.op).map_or_else(|| message.as_ref(), |rest| rest.trim_start_matches([':', ' ']));
        exec_datafusion_err!("{}: {message} (in the row with id `{id}`)", self.op)
    }
}

/// Numbers groups in arrival order.
struct Groups {
    converter: RowConverter,
    numbers: HashMap<Box<[u8]>, u32>,
}

impl Groups {
    fn try_new(below: &SchemaRef, column: usize) -> Result<Self> {
        let field = SortField::new(below.field(column).data_type().clone());
        Ok(Self { converter: RowConverter::new(vec![field])?, numbers: HashMap::new() })
    }

    fn numbers(&mut self, column: &ArrayRef, reservation: &MemoryReservation) -> Result<Vec<u32>> {
        let rows = self.converter.convert_columns(std::slice::from_ref(column))?;
        let mut found = Vec::with_capacity(column.len());
        for row in &rows {
            let next = self.numbers.len() as u32;
            found.push(match self.numbers.get(row.as_ref()) {
                Some(number) => *number,
                None => {
                    reservation.try_grow(80 + row.as_ref().len())?;
                    self.numbers.insert(row.as_ref().into(), next);
                    next
                }
            });
        }
        Ok(found)
    }
}
