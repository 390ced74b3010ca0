//! The footers of the files of a table, and their columns together.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::{DataFusionError, Result, plan_datafusion_err};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::execution::object_store::ObjectStoreUrl;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectMeta, ObjectStore};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::ParquetMetaData;

use super::evolution::{self, FileColumns};
use super::{empty, names};
use crate::sources::files::place::display_path;

/// Reads the footer of a file, using the session's cache.
///
/// # Errors
/// The file is not a complete Parquet file, or cannot be read.
pub async fn footer(
    state: &dyn Session,
    store: &Arc<dyn ObjectStore>,
    meta: &ObjectMeta,
) -> Result<Arc<ParquetMetaData>> {
    let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
    let read = DFParquetMetadata::new(store.as_ref(), meta).with_file_metadata_cache(Some(cache));
    let error = match read.fetch_metadata().await {
        Ok(footer) => return Ok(footer),
        Err(error) => error,
    };
    empty::footer(store.as_ref(), &meta.location, meta.size).await.map(Arc::new).ok_or(error)
}

/// Rejects a file with two columns of the same name.
///
/// # Errors
/// There are two such columns.
pub(crate) fn check_names(path: &str, footer: &ParquetMetaData) -> Result<()> {
    names::distinct(footer.file_metadata().schema_descr())
        .map_err(|what| plan_datafusion_err!("cannot read {path}: {what}"))
}

/// Merges the columns of all files by name.
///
/// # Errors
/// A file cannot be read or has two columns of the same name; the types of a column are incompatible.
pub(crate) async fn infer_schema(
    state: &dyn Session,
    format: &dyn FileFormat,
    (url, store): (&ObjectStoreUrl, &Arc<dyn ObjectStore>),
    files: &[&ObjectMeta],
) -> Result<SchemaRef> {
    let requests = state.config_options().execution.meta_fetch_concurrency.get();
    let columns: Vec<FileColumns> = stream::iter(files)
        .map(|meta| async move {
            let path = display_path(url, &meta.location);
            let unreadable = |e: DataFusionError| plan_datafusion_err!("cannot read {path} as PARQUET: {e}");
            let footer = footer(state, store, meta).await.map_err(unreadable)?;
            check_names(&path, &footer)?;
            let schema = match format.infer_schema(state, store, std::slice::from_ref(meta)).await {
                Ok(schema) => schema,
                // A file without rows whose footer DataFusion does not take: see `empty`.
                Err(_) if footer.num_row_groups() == 0 => {
                    let file = footer.file_metadata();
                    Arc::new(parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?)
                }
                Err(error) => return Err(unreadable(error)),
            };
            Ok::<_, DataFusionError>(FileColumns::new(path, schema, &footer))
        })
        .boxed()
        .buffered(requests)
        .try_collect()
        .await?;
    evolution::merge(&columns).map(Arc::new)
}
