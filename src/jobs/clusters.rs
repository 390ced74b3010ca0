//! Sizes of the clusters a step found. Cluster ids end with the step, so they are noted down beside its results, as
//! 64-bit hashes, and counted by the engine, which spills.

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

/// Columns of the notes.
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

/// (size, number of clusters of this size) of sizes from 2, ascending: from the cluster ids where the step gives them,
/// else from the kept rows that removed ones name.
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
