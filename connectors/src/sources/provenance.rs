//! Provenance columns `_file`, `_row` and `_row_id`: where a row came from. They do not depend on the number of threads,
//! filters or skipped rows.
//!
//! If the files or their folders have a column with one of these names, their writer's column is meant and none is added.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::functions::string::concat;
use datafusion::physical_expr::expressions::{CastExpr, Column, lit};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;
use parquet::arrow::RowNumber;

const FILE: &str = "_file";
const ROW: &str = "_row";
const ROW_ID: &str = "_row_id";

/// What numbers the rows of a file for `_row`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowNumbers {
    /// The reader, which makes the columns `_file`, `_row` and `_row_id` itself.
    Reader,
    /// A virtual column of the scan.
    Scan,
    /// Nothing: a file is one row.
    OneRow,
}

/// The columns that are added to a table.
pub(super) fn added() -> [FieldRef; 3] {
    [
        Arc::new(Field::new(FILE, DataType::Utf8, false)),
        Arc::new(Field::new(ROW, DataType::Int64, false)),
        Arc::new(Field::new(ROW_ID, DataType::Utf8, true)),
    ]
}

/// The partition columns and virtual columns that a scan with such numbering produces beside the columns of the files.
pub(super) fn scanned(numbers: RowNumbers) -> (Vec<FieldRef>, Vec<FieldRef>) {
    let file = Arc::new(Field::new(FILE, DataType::Utf8, false));
    let row = Field::new(ROW, DataType::Int64, false);
    match numbers {
        RowNumbers::Scan => (vec![file], vec![Arc::new(row.with_extension_type(RowNumber))]),
        _ => (vec![file, Arc::new(row)], vec![]),
    }
}

/// The values of the partition columns of [`scanned`] for the file at `path`.
pub(super) fn values(numbers: RowNumbers, path: String) -> Vec<ScalarValue> {
    let file = ScalarValue::Utf8(Some(path));
    match numbers {
        RowNumbers::Scan => vec![file],
        // A text file is one row.
        _ => vec![file, ScalarValue::Int64(Some(0))],
    }
}

/// Maps columns of the table to columns of the scan.
pub(super) struct Layout {
    /// Columns of the scan that are needed.
    pub columns: Vec<usize>,
    /// The requested columns of the table.
    wanted: SchemaRef,
}

impl Layout {
    /// For the columns `projection` of `table`, whose scan has the columns of `scan`.
    pub(super) fn new(table: &Schema, scan: &Schema, projection: &[usize]) -> Result<Self> {
        let wanted = table.project(projection)?;
        let mut columns = Vec::new();
        for field in wanted.fields() {
            for name in sources(field.name()) {
                let index = scan.index_of(name)?;
                if !columns.contains(&index) {
                    columns.push(index);
                }
            }
        }
        Ok(Self { columns, wanted: Arc::new(wanted) })
    }

    /// The scan's rows with the columns that were asked for.
    pub(super) fn finish(&self, scan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = scan.schema();
        let column =
            |name: &str| -> Result<Arc<dyn PhysicalExpr>> { Ok(Arc::new(Column::new(name, schema.index_of(name)?))) };
        let expressions = self.wanted.fields().iter().map(|field| {
            let name = field.name();
            let expression = if name == ROW_ID { row_id(column(FILE)?, column(ROW)?, &schema)? } else { column(name)? };
            Ok((expression, name.clone()))
        });
        Ok(Arc::new(ProjectionExec::try_new(expressions.collect::<Result<Vec<_>>>()?, scan)?))
    }
}

/// The columns of the scan that make the column `name` of the table.
fn sources(name: &str) -> Vec<&str> {
    if name == ROW_ID { vec![FILE, ROW] } else { vec![name] }
}

/// `file#row`.
fn row_id(file: Arc<dyn PhysicalExpr>, row: Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
    let row = Arc::new(CastExpr::new(row, DataType::Utf8, None));
    let parts: Vec<Arc<dyn PhysicalExpr>> = vec![file, lit("#"), row];
    let joined = ScalarFunctionExpr::try_new(concat(), parts, schema, Arc::new(ConfigOptions::default()))?;
    Ok(Arc::new(joined))
}
