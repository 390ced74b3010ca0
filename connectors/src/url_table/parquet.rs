//! What tables of Parquet files need beside other tables: their columns, and folders that say the same as the files.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::DefaultParquetFileReaderFactory;
use datafusion::datasource::provider::DefaultTableFactory;
use datafusion::logical_expr::CreateExternalTable;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectMeta, ObjectStore};

use super::table::FilesTableParts;
use super::{Format, Listing, SourceFile, SourceSpec, display_path, foreign, list};
use crate::parquet_files::{self, folders};

/// Tables of `STORED AS PARQUET`: DataFusion's own, after a look at what it would misread.
#[derive(Debug)]
pub(super) struct ParquetTableFactory;

#[async_trait]
impl TableProviderFactory for ParquetTableFactory {
    async fn create(&self, state: &dyn Session, cmd: &CreateExternalTable) -> Result<Arc<dyn TableProvider>> {
        let spec = SourceSpec { paths: cmd.locations.clone(), ..SourceSpec::default() };
        // A location to be written to holds no files yet; one that cannot be listed the other factory explains.
        if let Ok(listing) = list(state, &spec).await {
            foreign::refuse(state, &listing, Some(Format::Parquet)).await?;
            check_names(state, &listing).await?;
        }
        let mut cmd = cmd.clone();
        let unit = |key: &str| key.trim_start_matches("format.") == "coerce_int96";
        if !cmd.options.keys().any(|key| unit(key)) {
            cmd.options.insert("format.coerce_int96".to_owned(), "us".to_owned());
        }
        DefaultTableFactory::new().create(state, &cmd).await
    }
}

/// Refuses files in which two columns have one name. A file that cannot be read is left to DataFusion's own message.
async fn check_names(state: &dyn Session, listing: &Listing) -> Result<()> {
    let store = &state.runtime_env().object_store(&listing.store)?;
    stream::iter(&listing.files)
        .map(|file| async move {
            let Ok(footer) = parquet_files::footer(state, store, &file.meta).await else { return Ok(()) };
            parquet_files::check_names(&display_path(&listing.store, &file.meta.location), &footer)
        })
        .boxed()
        .buffered(state.config_options().execution.meta_fetch_concurrency.get())
        .try_collect()
        .await
}

/// The columns of all files together.
pub(super) async fn schema(
    state: &dyn Session,
    format: &dyn FileFormat,
    store: &Arc<dyn ObjectStore>,
    listing: &Listing,
) -> Result<SchemaRef> {
    let metas: Vec<&ObjectMeta> = listing.files.iter().map(|file| &file.meta).collect();
    parquet_files::infer_schema(state, format, (&listing.store, store), &metas).await
}

/// Checks that columns which stand in the files and in the names of their folders say the same in both. `found` are the files
/// of the table, `read` those that a scan is left with.
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
            let footer = parquet_files::footer(state, store, &source.meta).await?;
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
