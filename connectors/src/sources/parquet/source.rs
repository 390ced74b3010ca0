//! Parquet as a format of sources.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{ColumnStatistics, DataFusionError, Result, Statistics, plan_datafusion_err};
use datafusion::datasource::file_format::parquet::ParquetFormatFactory;
use datafusion::datasource::file_format::{FileFormat, FileFormatFactory};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::ExecutionPlan;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectMeta;

use super::agree::agree_with_folders;
use super::columns::infer_schema;
use super::external::ParquetTableFactory;
use super::int96::guarded;
use super::statistics::of_file;
use super::{empty, foreign, function};
use crate::sources::files::groups::balanced_groups;
use crate::sources::files::place::display_path;
use crate::sources::files::spec::prefixed;
use crate::sources::files::{Content, Format, FormatInfo, Listing};
use crate::sources::format::{Formats, Opened, Opening, SourceFormat};
use crate::sources::function::TableFunction;
use crate::sources::provenance::RowNumbers;
use crate::sources::table::{FilesReader, FilesTable, Scan};

/// Parquet.
pub const PARQUET: Format = Format::new(&FormatInfo {
    name: "PARQUET",
    words: &["parquet"],
    endings: &["parquet", "parq", "pq"],
    compressed: false,
    signature: Some(Content::Parquet),
    looks_like: None,
});

/// Parquet files, by DataFusion's reader.
#[derive(Debug)]
pub struct Parquet;

#[async_trait]
impl SourceFormat for Parquet {
    fn format(&self) -> Format {
        PARQUET
    }

    async fn check(&self, state: &dyn Session, listing: &Listing, forced: Option<Format>) -> Result<()> {
        match forced {
            Some(format) if format != PARQUET => Ok(()),
            Some(_) => foreign::refuse(state, listing, None).await,
            None => foreign::refuse(state, listing, Some(PARQUET)).await,
        }
    }

    async fn open(&self, state: &dyn Session, files: Opening<'_>) -> Result<Opened> {
        let Opening { spec, listing, .. } = files;
        let options = spec.options.clone();
        let store = state.runtime_env().object_store(&listing.store)?;
        let format = format(state, &options)?;
        let metas: Vec<&ObjectMeta> = listing.files.iter().map(|file| &file.meta).collect();
        let schema = infer_schema(state, format.as_ref(), (&listing.store, &store), &metas).await?;
        let reader = Arc::new(ParquetFiles { options: options.clone() });
        Ok(Opened { options, schema, reader })
    }

    fn function(&self) -> Option<TableFunction> {
        Some(function::READ_PARQUET)
    }

    fn register(&self, state: &mut SessionState, _: Formats) -> Result<()> {
        state.table_factories_mut().insert(PARQUET.info().name.to_owned(), Arc::new(ParquetTableFactory));
        Ok(())
    }
}

/// DataFusion's format.
fn format(state: &dyn Session, options: &BTreeMap<String, String>) -> Result<Arc<dyn FileFormat>> {
    let mut given: HashMap<String, String> = prefixed(options);
    // In nanoseconds INT96 timestamps before 1677 and after 2262 would become others.
    given.entry("format.coerce_int96".to_owned()).or_insert_with(|| "us".to_owned());
    ParquetFormatFactory::new().create(state, &given)
}

/// How Parquet files are read.
#[derive(Debug)]
struct ParquetFiles {
    options: BTreeMap<String, String>,
}

#[async_trait]
impl FilesReader for ParquetFiles {
    fn row_numbers(&self) -> RowNumbers {
        RowNumbers::Scan
    }

    async fn scan(&self, state: &dyn Session, mut scan: Scan<'_>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let table = scan.table;
        let format = format(state, &self.options)?;
        agree_with_folders(state, table.parts(), scan.found, &scan.files).await?;
        let files = with_statistics(table, state, format.as_ref(), std::mem::take(&mut scan.files)).await?;
        if files.is_empty() {
            return Ok(None);
        }
        let groups = balanced_groups(files, state.config().target_partitions());
        let groups = merged(groups, table)?;
        scan.plan(state, format.as_ref(), groups, guarded).await.map(Some)
    }
}

/// Adds statistics from the files (only Parquet has them), so that the optimizer knows sizes and bounds.
async fn with_statistics(
    table: &FilesTable,
    state: &dyn Session,
    format: &dyn FileFormat,
    files: Vec<PartitionedFile>,
) -> Result<Vec<PartitionedFile>> {
    if !state.config().collect_statistics() {
        return Ok(files);
    }
    let store = state.runtime_env().object_store(&table.parts().store)?;
    let (store, schema) = (&store, &table.parts().file_schema);
    let requests = state.config_options().execution.meta_fetch_concurrency.get();
    stream::iter(files)
        .map(|file| async move {
            let found = format.infer_stats_and_ordering(state, store, Arc::clone(schema), &file.object_meta).await;
            let found = match found {
                Ok(found) => found,
                // A file without rows that DataFusion does not read.
                Err(_) if empty::footer(store.as_ref(), file.path(), file.object_meta.size).await.is_some() => {
                    return Ok(None);
                }
                Err(error) => return Err(unreadable(table, &file.object_meta, &error)),
            };
            let ordering = found.ordering;
            let file = file.with_statistics(Arc::new(of_file(found.statistics, schema))).with_ordering(ordering);
            let mut file = nulls_of_folders(file);
            if let Some(statistics) =
                file.statistics.as_mut().filter(|_| !table.scan_schema().virtual_columns().is_empty())
            {
                let unknown = table.scan_schema().virtual_columns().iter().map(|_| ColumnStatistics::new_unknown());
                Arc::make_mut(statistics).column_statistics.extend(unknown);
            }
            Ok(Some(file))
        })
        .boxed()
        .buffered(requests)
        .try_filter_map(|file| async { Ok(file) })
        .try_collect()
        .await
}

fn unreadable(table: &FilesTable, meta: &ObjectMeta, error: &DataFusionError) -> DataFusionError {
    let path = display_path(&table.parts().store, &meta.location);
    plan_datafusion_err!("cannot read {path} as {}: {error}", table.parts().kind)
}

/// Groups of files with what all of their files say together.
fn merged(groups: Vec<FileGroup>, table: &FilesTable) -> Result<(Vec<FileGroup>, Statistics)> {
    let schema = table.scan_schema().table_schema();
    let groups = groups.into_iter().map(|group| {
        let files = group.iter().filter_map(|file| file.statistics.as_deref());
        let merged = Statistics::try_merge_iter(files, schema)?;
        Ok(group.with_statistics(Arc::new(merged)))
    });
    let groups = groups.collect::<Result<Vec<_>>>()?;
    let all = groups.iter().filter_map(|group| group.file_statistics(None));
    let statistics = Statistics::try_merge_iter(all, schema)?;
    Ok((groups, statistics))
}

/// DataFusion counts no NULLs in a partition column, although the folder may stand for NULL.
fn nulls_of_folders(mut file: PartitionedFile) -> PartitionedFile {
    let Some(statistics) = file.statistics.as_mut().map(Arc::make_mut) else { return file };
    let first = statistics.column_statistics.len().saturating_sub(file.partition_values.len());
    for (column, value) in statistics.column_statistics.iter_mut().skip(first).zip(&file.partition_values) {
        if value.is_null() {
            *column = ColumnStatistics::new_unknown();
            column.null_count = statistics.num_rows;
        }
    }
    file
}
