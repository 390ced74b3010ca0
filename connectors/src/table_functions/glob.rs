//! `glob('**/*.csv')`: the files that a pattern matches.

use std::sync::{Arc, LazyLock};

use arrow::array::{Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::{MemTable, Session, TableProvider};
use datafusion::common::Result;

use crate::url_table::{SourceSpec, display_path, list};

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("path", DataType::Utf8, false),
        Field::new("size", DataType::Int64, false),
        Field::new("modified", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
    ]))
});

/// One row per file, sorted by path.
pub(super) async fn files(state: &dyn Session, spec: &SourceSpec) -> Result<Arc<dyn TableProvider>> {
    let listing = list(state, spec).await?;
    let metas = || listing.files.iter().map(|file| &file.meta);
    let paths: StringArray = metas().map(|meta| Some(display_path(&listing.store, &meta.location))).collect();
    let sizes = Int64Array::from_iter_values(metas().map(|meta| i64::try_from(meta.size).unwrap_or(i64::MAX)));
    let modified = metas().map(|meta| meta.last_modified.timestamp_micros());
    let modified = TimestampMicrosecondArray::from_iter_values(modified).with_timezone("UTC");
    let batch = RecordBatch::try_new(Arc::clone(&SCHEMA), vec![Arc::new(paths), Arc::new(sizes), Arc::new(modified)])?;
    Ok(Arc::new(MemTable::try_new(Arc::clone(&SCHEMA), vec![vec![batch]])?))
}
