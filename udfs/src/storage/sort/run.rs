//! A run: collected batches in sorted order.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{SortColumn, concat, interleave, lexsort_to_indices};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::physical_expr::LexOrdering;

use super::limits::BatchLimits;
use crate::storage::compact::{compact, held, row_bytes, used};

/// Bytes per row while a run is sorted: its position, its size, and what the sort keeps of its key.
const ROW: usize = 32;

/// Memory needed to sort `batch`, including the batch itself, in bytes.
pub fn cost(batch: &RecordBatch, ordering: &LexOrdering) -> Result<usize> {
    let keys = sort_columns(batch, ordering)?;
    let keys = RecordBatch::try_from_iter(keys.into_iter().enumerate().map(|(at, key)| (at.to_string(), key.values)))?;
    Ok(held(batch) + used(&keys) + ROW * batch.num_rows())
}

/// Evaluates the columns that determine the order.
pub fn sort_columns(batch: &RecordBatch, ordering: &LexOrdering) -> Result<Vec<SortColumn>> {
    ordering.iter().map(|by| by.evaluate_to_sort_column(batch)).collect()
}

/// Yields the rows of batches in sorted order, as batches within limits.
pub struct Run {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    /// The first row of each batch.
    starts: Vec<usize>,
    /// Bytes of each row.
    sizes: Vec<u32>,
    order: UInt32Array,
    at: usize,
    limits: BatchLimits,
}

impl Run {
    /// Sorts `batches` by `keys`. With `fetch`, only the first so many rows are kept; if there are that many, the keys of the
    /// last one are returned too.
    pub fn new(
        schema: SchemaRef,
        batches: Vec<RecordBatch>,
        keys: Vec<Vec<SortColumn>>,
        fetch: Option<usize>,
        limits: BatchLimits,
    ) -> Result<(Self, Option<Vec<ArrayRef>>)> {
        let columns = keys.first().map_or(0, Vec::len);
        let column = |at: usize| {
            let parts: Vec<&dyn arrow::array::Array> = keys.iter().map(|keys| keys[at].values.as_ref()).collect();
            Ok(SortColumn { values: concat(&parts)?, options: keys[0][at].options })
        };
        let columns = (0..columns).map(column).collect::<Result<Vec<_>>>()?;
        drop(keys);
        let order =
            if columns.is_empty() { UInt32Array::from_iter_values([]) } else { lexsort_to_indices(&columns, fetch)? };
        let last = order.values().last().filter(|_| Some(order.len()) == fetch);
        let last = last.map(|row| columns.iter().map(|column| column.values.slice(*row as usize, 1)).collect());
        drop(columns);
        let mut starts = Vec::with_capacity(batches.len());
        let mut sizes = Vec::new();
        for batch in &batches {
            starts.push(sizes.len());
            sizes.extend(row_bytes(batch));
        }
        Ok((Self { schema, batches, starts, sizes, order, at: 0, limits }, last))
    }

    /// The number of rows, from the current position, that form the next batch.
    fn next_rows(&self) -> usize {
        let rest = &self.order.values()[self.at..];
        let mut bytes = 0;
        let fits = rest.iter().take(self.limits.rows).take_while(|row| {
            bytes += self.sizes[**row as usize] as usize;
            bytes <= self.limits.bytes
        });
        fits.count().max(1).min(rest.len())
    }
}

impl Iterator for Run {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.order.len() {
            self.batches.clear();
            return None;
        }
        let rows = self.next_rows();
        let places = self.order.values()[self.at..self.at + rows].iter().map(|row| {
            let row = *row as usize;
            let batch = self.starts.partition_point(|start| *start <= row) - 1;
            (batch, row - self.starts[batch])
        });
        let places: Vec<_> = places.collect();
        self.at += rows;
        Some(pick(&self.schema, &self.batches, &places))
    }
}

/// Copies the rows at `places` (batch, row) into one batch with its own buffers.
pub fn pick(schema: &SchemaRef, batches: &[RecordBatch], places: &[(usize, usize)]) -> Result<RecordBatch> {
    let column = |at: usize| -> Result<ArrayRef> {
        let parts: Vec<&dyn arrow::array::Array> = batches.iter().map(|batch| batch.column(at).as_ref()).collect();
        Ok(interleave(&parts, places)?)
    };
    let columns = (0..schema.fields().len()).map(column).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(places.len()));
    compact(&RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}
