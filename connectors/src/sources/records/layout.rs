//! Which columns a scan builds, and how they form a batch.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::{Result, ScalarValue, internal_datafusion_err};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::projection::{ProjectionExprs, Projector};
use datafusion::physical_expr::utils::reassign_expr_columns;

use super::RecordPlan;
use super::options::{OnError, text_type};

/// Where a column of the output comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// A column that is read, by its index among those.
    Read(usize),
    /// A column of the table of rejected records.
    Reject(usize),
    File,
    Row,
    RowId,
    /// A partition column.
    Folder(usize),
}

/// The columns that a projection needs, and the projection over just those.
pub(super) struct Layout {
    /// Columns of the records that are read.
    pub(super) read: Vec<usize>,
    sources: Vec<Source>,
    schema: SchemaRef,
    projector: Projector,
}

/// What a batch needs in addition to the columns that were read.
pub(super) struct Surroundings<'a> {
    pub(super) file: &'a str,
    pub(super) rows: &'a [u64],
    pub(super) folders: &'a [ScalarValue],
    pub(super) rejects: Vec<ArrayRef>,
    pub(super) count: usize,
}

impl Layout {
    pub(super) fn try_new(plan: &RecordPlan, table: &TableSchema, projection: &ProjectionExprs) -> Result<Self> {
        let columns = projection.column_indices();
        let schema: Schema = table.table_schema().project(&columns)?;
        let narrowed = projection.clone().try_map_exprs(|expr| reassign_expr_columns(expr, &schema))?;
        let projector = narrowed.make_projector(&schema)?;
        let own = plan.schema.fields().len();
        // Which records can be read must not depend on the requested columns.
        let all = plan.options.rejects || plan.options.on_error == OnError::Skip;
        let read: Vec<usize> = match all {
            true => (0..own).collect(),
            false => columns.iter().copied().filter(|column| *column < own).collect(),
        };
        let before_folders = plan.table_schema().fields().len();
        let source = |&column: &usize| match column {
            _ if column >= before_folders => Some(Source::Folder(column - before_folders)),
            _ if plan.options.rejects => Some(Source::Reject(column)),
            _ if column < own => read.iter().position(|read| *read == column).map(Source::Read),
            _ => [Source::File, Source::Row, Source::RowId].get(column - own).copied(),
        };
        let sources = columns.iter().map(source).collect::<Option<Vec<_>>>();
        let sources = sources.ok_or_else(|| internal_datafusion_err!("a scan lacks a column of its table"))?;
        Ok(Self { read, sources, schema: Arc::new(schema), projector })
    }

    /// Whether the numbers of records matter.
    pub(super) fn needs_rows(&self) -> bool {
        self.sources.iter().any(|source| matches!(source, Source::Row | Source::RowId))
    }

    pub(super) fn batch(&self, read: &[ArrayRef], views: bool, around: &Surroundings<'_>) -> Result<RecordBatch> {
        let lost = || internal_datafusion_err!("a scan lost a column");
        let text = text_type(views);
        let array = |source: &Source| -> Result<ArrayRef> {
            Ok(match *source {
                Source::Read(place) => read.get(place).cloned().ok_or_else(lost)?,
                Source::Reject(place) => around.rejects.get(place).cloned().ok_or_else(lost)?,
                Source::File => {
                    ScalarValue::Utf8(Some(around.file.to_owned())).cast_to(&text)?.to_array_of_size(around.count)?
                }
                Source::Row => Arc::new(Int64Array::from_iter_values(
                    around.rows.iter().map(|row| i64::try_from(*row).unwrap_or(i64::MAX)),
                )),
                Source::RowId => {
                    let ids = around.rows.iter().map(|row| format!("{}#{row}", around.file));
                    cast(&StringArray::from_iter_values(ids), &text)?
                }
                Source::Folder(place) => around.folders.get(place).ok_or_else(lost)?.to_array_of_size(around.count)?,
            })
        };
        let arrays = self.sources.iter().map(array).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(around.count));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?;
        self.projector.project_batch(&batch)
    }
}
