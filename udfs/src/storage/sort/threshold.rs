//! Threshold for queries that want only the first rows: a row must sort before it to be wanted.

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::common::Result;
use datafusion::physical_expr::LexOrdering;

use super::run::sort_columns;

/// Empty until as many rows as wanted have been sorted; then the key of the last of them.
#[derive(Default)]
pub struct Threshold(Option<(RowConverter, OwnedRow)>);

impl Threshold {
    /// Records that the wanted number of rows sort at or before `last`, given as the sort columns of one row.
    pub fn lower(&mut self, last: &[ArrayRef], ordering: &LexOrdering) -> Result<()> {
        let (converter, least) = match self.0.take() {
            Some((converter, least)) => (converter, Some(least)),
            None => {
                let fields = ordering.iter().zip(last);
                let fields = fields.map(|(by, key)| SortField::new_with_options(key.data_type().clone(), by.options));
                (RowConverter::new(fields.collect())?, None)
            }
        };
        let row = converter.convert_columns(last)?.row(0).owned();
        self.0 = Some((converter, least.into_iter().fold(row, Ord::min)));
        Ok(())
    }

    /// Returns the rows of `batch` that may still be among the wanted ones.
    pub fn before(&self, batch: &RecordBatch, ordering: &LexOrdering) -> Result<RecordBatch> {
        let Some((converter, least)) = &self.0 else { return Ok(batch.clone()) };
        let keys: Vec<_> = sort_columns(batch, ordering)?.into_iter().map(|column| column.values).collect();
        let keys = converter.convert_columns(&keys)?;
        let before: BooleanArray = keys.iter().map(|key| Some(key < least.row())).collect();
        if before.true_count() == batch.num_rows() {
            return Ok(batch.clone());
        }
        Ok(filter_record_batch(batch, &before)?)
    }
}
