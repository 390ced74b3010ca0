//! Sizes of the clusters that a step found. Cluster ids are dropped with the step, so they are recorded beside its results as
//! 64-bit hashes and counted by the engine, which can spill.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use xxhash_rust::xxh3::xxh3_64;

use super::split::Columns;
use super::tables::{pairs, register_folder};

/// Columns of the recorded hashes.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("cluster", DataType::UInt64, false)]))
}

/// The hashes of the cluster ids of `batch`; NULLs are left out.
pub fn hashes(columns: &Columns, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
    let Some(at) = columns.cluster_id else { return Ok(None) };
    let ids = cast(batch.column(at), &DataType::Utf8)?;
    let hashes: UInt64Array = ids.as_string::<i32>().iter().flatten().map(|id| xxh3_64(id.as_bytes())).collect();
    Ok(Some(RecordBatch::try_new(schema(), vec![Arc::new(hashes) as ArrayRef])?))
}

/// Pairs (size, number of clusters of that size) for sizes from 2, ascending. Computed from cluster ids if the step has them,
/// otherwise from the kept rows that removed ones refer to.
pub async fn sizes(ctx: &SessionContext, columns: &Columns, notes: &Path) -> Result<Vec<(u64, u64)>> {
    let sizes = if columns.cluster_id.is_some() {
        register_folder(ctx, "__clusters", notes).await?;
        "SELECT count(*) AS size FROM __clusters GROUP BY cluster HAVING count(*) > 1"
    } else if columns.duplicate_of.is_some() {
        "SELECT count(*) + 1 AS size FROM __removed WHERE duplicate_of IS NOT NULL GROUP BY duplicate_of"
    } else {
        return Ok(Vec::new());
    };
    pairs(ctx, &format!("SELECT size, count(*) FROM ({sizes}) GROUP BY size ORDER BY size")).await
}
