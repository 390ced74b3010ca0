//! From files to record batches: which columns are built, and the builder of one batch.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringBuilder, TimestampMicrosecondArray};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::{Result, ScalarValue, internal_datafusion_err};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::projection::{ProjectionExprs, Projector};
use datafusion::physical_expr::utils::reassign_expr_columns;

use super::reader::TextFile;

const PATH: usize = 0;
const SIZE: usize = 1;
const MODIFIED: usize = 2;
const TEXT: usize = 3;
const FILE_COLUMNS: usize = 4;

/// The columns of the table that a projection needs, and the projection over just those.
pub(super) struct Layout {
    columns: Vec<usize>,
    schema: SchemaRef,
    projector: Projector,
}

impl Layout {
    pub(super) fn try_new(table_schema: &TableSchema, projection: &ProjectionExprs) -> Result<Self> {
        let columns = projection.column_indices();
        let schema: Schema = table_schema.table_schema().project(&columns)?;
        let narrowed = projection.clone().try_map_exprs(|expr| reassign_expr_columns(expr, &schema))?;
        let projector = narrowed.make_projector(&schema)?;
        Ok(Self { columns, schema: Arc::new(schema), projector })
    }

    fn has(&self, column: usize) -> bool {
        self.columns.contains(&column)
    }
}

/// One batch under construction. Only the columns of its layout are filled.
pub(super) struct Columns<'a> {
    layout: &'a Layout,
    paths: StringBuilder,
    sizes: Vec<i64>,
    modified: Vec<i64>,
    texts: StringBuilder,
    partitions: Vec<Vec<ScalarValue>>,
    rows: usize,
}

impl<'a> Columns<'a> {
    pub(super) fn new(layout: &'a Layout) -> Self {
        Self {
            layout,
            paths: StringBuilder::new(),
            sizes: Vec::new(),
            modified: Vec::new(),
            texts: StringBuilder::new(),
            partitions: vec![Vec::new(); layout.columns.len()],
            rows: 0,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds a row: `size` is the number of bytes read, `path` what the user calls the file.
    pub(super) fn push(&mut self, file: &TextFile, path: &str, size: u64, text: &str) -> Result<()> {
        if self.layout.has(PATH) {
            self.paths.append_value(path);
        }
        if self.layout.has(SIZE) {
            self.sizes.push(i64::try_from(size).unwrap_or(i64::MAX));
        }
        if self.layout.has(MODIFIED) {
            self.modified.push(file.modified);
        }
        if self.layout.has(TEXT) {
            self.texts.append_value(text);
        }
        for (values, &column) in self.partitions.iter_mut().zip(&self.layout.columns) {
            if let Some(partition) = column.checked_sub(FILE_COLUMNS) {
                let value = file.partitions.get(partition);
                values.push(value.cloned().ok_or_else(|| internal_datafusion_err!("{path} lacks a partition value"))?);
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// The projected batch; `None` when it would have no row.
    pub(super) fn finish(mut self) -> Result<Option<RecordBatch>> {
        if self.rows == 0 {
            return Ok(None);
        }
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.layout.columns.len());
        for (values, &column) in self.partitions.into_iter().zip(&self.layout.columns) {
            arrays.push(match column {
                PATH => Arc::new(self.paths.finish()),
                SIZE => Arc::new(Int64Array::from(std::mem::take(&mut self.sizes))),
                MODIFIED => {
                    let times = TimestampMicrosecondArray::from(std::mem::take(&mut self.modified));
                    Arc::new(times.with_timezone("UTC"))
                }
                TEXT => Arc::new(self.texts.finish()),
                _ => ScalarValue::iter_to_array(values)?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.layout.schema), arrays, &options)?;
        self.layout.projector.project_batch(&batch).map(Some)
    }
}
