//! Columns from `key=value` folders, and conditions that can be decided before a file is opened.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::execution::context::ExecutionProps;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_expr::create_physical_expr;

use super::listing::{Listing, SourceFile};
use super::place::{display_path, file_columns};

/// Type of a partition column, as DataFusion's own listing tables have it.
pub(crate) fn partition_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::Utf8))
}

/// Names of the folders that become columns: `wanted`, or the keys that every file has, in the same order.
pub(crate) fn partition_columns(listing: &Listing, wanted: Option<&[String]>) -> Result<Vec<String>> {
    if let Some(wanted) = wanted {
        for file in &listing.files {
            if let Some(missing) = wanted.iter().find(|name| file.partition(name).is_none()) {
                let path = display_path(&listing.store, &file.meta.location);
                return plan_err!("{path} is in no folder {missing}=... although {missing} is a partition column");
            }
        }
        return Ok(wanted.to_vec());
    }
    let keys = |file: &SourceFile| file.partitions.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    let Some(first) = listing.files.first().map(keys) else { return Ok(Vec::new()) };
    let distinct = first.iter().collect::<BTreeSet<_>>().len() == first.len();
    let same = distinct && listing.files.iter().all(|file| keys(file) == first);
    Ok(if same { first } else { Vec::new() })
}

/// Drops the files that `filters` exclude. A filter may use the partition columns `columns` and, if the table has them, the
/// columns `path`, `size` and `modified`; [`decidable`] tells which filters do.
pub(crate) fn prune(
    store: &ObjectStoreUrl,
    files: Vec<PartitionedFile>,
    filters: &[&Expr],
    columns: &[String],
    has_file_columns: bool,
) -> Result<Vec<PartitionedFile>> {
    let Some(filter) = conjunction(filters.iter().map(|&filter| filter.clone())) else { return Ok(files) };
    if files.is_empty() {
        return Ok(files);
    }
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    if has_file_columns {
        let metas = || files.iter().map(|file| &file.object_meta);
        fields.extend(file_columns());
        arrays.push(Arc::new(metas().map(|meta| Some(display_path(store, &meta.location))).collect::<StringArray>()));
        arrays.push(Arc::new(metas().map(|meta| i64::try_from(meta.size).unwrap_or(i64::MAX)).collect::<Int64Array>()));
        let modified = metas().map(|meta| meta.last_modified.timestamp_micros());
        let modified = TimestampMicrosecondArray::from_iter_values(modified);
        arrays.push(Arc::new(modified.with_timezone("UTC")));
    }
    for (i, column) in columns.iter().enumerate() {
        fields.push(Field::new(column, partition_type(), true));
        let values: StringArray = files.iter().map(|file| partition_value(file, i)).collect();
        arrays.push(arrow::compute::cast(&values, &partition_type())?);
    }
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let options = RecordBatchOptions::new().with_row_count(Some(files.len()));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), arrays, &options)?;
    let schema = DFSchema::try_from(schema)?;
    let expr = create_physical_expr(&filter, &schema, &ExecutionProps::new(), &PhysicalPlanningContext::default())?;
    let keep = expr.evaluate(&batch)?.into_array(batch.num_rows())?;
    let keep: &BooleanArray = as_boolean_array(&keep)?;
    Ok(files.into_iter().zip(keep).filter(|(_, keep)| *keep == Some(true)).map(|(file, _)| file).collect())
}

fn partition_value(file: &PartitionedFile, index: usize) -> Option<&str> {
    match file.partition_values.get(index)? {
        ScalarValue::Dictionary(_, value) => value.try_as_str().flatten(),
        value => value.try_as_str().flatten(),
    }
}

/// Whether `filter` can be decided without opening a file.
pub(crate) fn decidable(filter: &Expr, columns: &[String], has_file_columns: bool) -> bool {
    let known = |name: &str| {
        columns.iter().any(|column| column == name)
            || (has_file_columns && matches!(name, "path" | "size" | "modified"))
    };
    let refs = filter.column_refs();
    !refs.is_empty() && refs.iter().all(|column| known(&column.name)) && !filter.is_volatile() && !has_subquery(filter)
}

/// Whether a condition cannot be decided without running another plan.
fn has_subquery(filter: &Expr) -> bool {
    let is_subquery = |expr: &Expr| {
        Ok(matches!(
            expr,
            Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::OuterReferenceColumn(..)
        ))
    };
    filter.exists(is_subquery).unwrap_or(true)
}
