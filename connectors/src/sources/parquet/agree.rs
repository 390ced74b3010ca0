//! Checks that columns agree with the folder names of their files.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::DefaultParquetFileReaderFactory;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::{StreamExt, TryStreamExt, stream};

use super::columns::footer;
use super::folders;
use crate::sources::files::SourceFile;
use crate::sources::files::place::display_path;
use crate::sources::table::FilesTableParts;

/// Checks columns that occur both in the files and in folder names for equal values. `found` are the files of the table,
/// `read` those that a scan reads.
pub(super) async fn agree_with_folders(
    state: &dyn Session,
    parts: &FilesTableParts,
    found: &[SourceFile],
    read: &[PartitionedFile],
) -> Result<()> {
    let both = |file: &SourceFile| file.partitions.iter().any(|(key, _)| parts.file_schema.index_of(key).is_ok());
    let found: HashMap<&str, &SourceFile> =
        found.iter().filter(|file| both(file)).map(|file| (file.meta.location.as_ref(), file)).collect();
    if found.is_empty() {
        return Ok(());
    }
    let store = state.runtime_env().object_store(&parts.store)?;
    let factory = DefaultParquetFileReaderFactory::new(Arc::clone(&store));
    let metrics = ExecutionPlanMetricsSet::new();
    let (store, factory, metrics) = (&store, &factory, &metrics);
    let files = read.iter().filter_map(|file| Some((file, *found.get(file.object_meta.location.as_ref())?)));
    stream::iter(files)
        .map(|(file, source)| async move {
            let path = display_path(&parts.store, &source.meta.location);
            let footer = footer(state, store, &source.meta).await?;
            let columns = footer.file_metadata().schema_descr().root_schema().get_fields();
            for (key, value) in &source.partitions {
                if parts.file_schema.index_of(key).is_err() {
                    continue;
                }
                if !columns.iter().any(|column| column.name() == key) {
                    return plan_err!(
                        "{path} is in a folder {key}=..., but has no column `{key}`, which other files of the table have: \
                         either all of them have it or none"
                    );
                }
                let reader = factory.create_reader(0, file.clone(), None, metrics)?;
                folders::agrees(reader, &footer, (&path, key, value.as_deref())).await?;
            }
            Ok::<_, DataFusionError>(())
        })
        .boxed()
        .buffered(state.config_options().execution.meta_fetch_concurrency.get())
        .try_collect::<Vec<_>>()
        .await?;
    Ok(())
}
