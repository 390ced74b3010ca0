//! The table of a source's files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{ColumnStatistics, Result, ScalarValue, Statistics, plan_datafusion_err, plan_err};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectMeta, ObjectStore};

use super::foreign;
use super::parquet;
use super::partitions::{decidable, partition_columns, partition_type, prune};
use super::{Compression, FileKind, Format, Listing, SourceFile, SourceSpec, balanced_groups, display_path, list};
use super::{content, provenance};
use crate::parquet_files::{empty, int96::guarded, of_file};
use crate::records::{self, RecordOptions, RecordPlan, RecordSource, Store};

/// A table over files that were found when it was made. It reads exactly those, sorted by path, so that a query, and a job that
/// fingerprints its inputs, sees one state of the lake.
#[derive(Debug)]
pub struct FilesTable {
    parts: FilesTableParts,
    /// Columns of the scan.
    scan: TableSchema,
    /// Columns of the table.
    schema: SchemaRef,
}

/// All that a [`FilesTable`] is, as plain data: for a codec.
#[derive(Debug, Clone)]
pub struct FilesTableParts {
    /// What the user asked for.
    pub spec: SourceSpec,
    /// Format of the files.
    pub kind: FileKind,
    /// Options of the format: those of `spec` and what the files themselves showed.
    pub options: BTreeMap<String, String>,
    /// Store of the files.
    pub store: ObjectStoreUrl,
    /// Columns in the files.
    pub file_schema: SchemaRef,
    /// Columns from `key=value` folders.
    pub partitions: Vec<String>,
    /// The files, sorted by path.
    pub files: Vec<SourceFile>,
    /// Lists the files anew in each scan instead: a table of `CREATE EXTERNAL TABLE`.
    pub live: bool,
    /// How CSV and JSON files are read.
    pub records: Option<Arc<RecordPlan>>,
}

/// Finds the files of `spec`, decides their format and infers their columns.
///
/// # Errors
/// Those of [`list`]; files of several formats; a file that cannot be read as its format; columns that do not fit together.
pub async fn table(state: &dyn Session, spec: &SourceSpec) -> Result<Arc<FilesTable>> {
    let listing = list(state, spec).await?;
    foreign::refuse(state, &listing, spec.format).await?;
    let kind = common_kind(&listing, spec)?;
    let partitions = partition_columns(&listing, spec.partitions.as_deref())?;
    let store = state.runtime_env().object_store(&listing.store)?;
    let by_name = kind;
    let (kind, strict) = content::settle(&listing, spec, by_name, store.as_ref()).await?;
    if kind.is_records() {
        return records_table(state, spec, None, listing, kind, partitions).await;
    }
    // Files that are Parquet by their names were looked at above.
    if kind.format == Format::Parquet && by_name.format != Format::Parquet {
        foreign::refuse(state, &listing, Some(kind.format)).await?;
    }
    let mut options = spec.options.clone();
    if strict && kind.format == Format::Text {
        options.entry("binary".to_owned()).or_insert_with(|| "error".to_owned());
    }
    let format = kind.file_format(state, &options)?;
    let file_schema = match kind.format {
        Format::Parquet => parquet::schema(state, format.as_ref(), &store, &listing).await?,
        _ => infer_schema(state, format.as_ref(), &store, &listing).await?,
    };
    if file_schema.fields().is_empty() && kind.format != Format::Parquet {
        return plan_err!("the files of '{}' hold no rows, so their columns are unknown", spec.paths.join("', '"));
    }
    // A column of the same name in the files has its type; that its values are those of the folders is checked in each scan.
    let partitions = partitions.into_iter().filter(|name| file_schema.index_of(name).is_err()).collect();
    let Listing { store, files, .. } = listing;
    let spec = spec.clone();
    let parts =
        FilesTableParts { spec, kind, options, store, file_schema, partitions, files, live: false, records: None };
    Ok(Arc::new(FilesTable::from_parts(parts)))
}

/// The table of CSV or JSON files; `given` are the columns that the user gave beside those in options.
pub(super) async fn records_table(
    state: &dyn Session,
    spec: &SourceSpec,
    given: Option<SchemaRef>,
    listing: Listing,
    kind: FileKind,
    partitions: Vec<String>,
) -> Result<Arc<FilesTable>> {
    let mut options = RecordOptions::parse(kind.format, &spec.options)?;
    if options.header.is_none() && !state.config_options().catalog.has_header {
        options.header = Some(false);
    }
    let request = records::Request {
        store: Store::new(state.runtime_env().object_store(&listing.store)?, &listing.store),
        files: listing.files.iter().map(|file| file.meta.clone()).collect(),
        format: kind.format,
        options,
        given,
        views: records::views(state),
        provenance: spec.provenance,
        threads: state.config().target_partitions(),
        name: spec.paths.join("', '"),
    };
    let plan = Arc::new(records::infer(request).await?);
    let file_schema = plan.table_schema();
    // A column of the same name in the files is what their writer meant.
    let partitions = partitions.into_iter().filter(|name| file_schema.index_of(name).is_err()).collect();
    let parts = FilesTableParts {
        spec: spec.clone(),
        kind,
        options: spec.options.clone(),
        store: listing.store,
        file_schema,
        partitions,
        files: listing.files,
        live: false,
        records: Some(plan),
    };
    Ok(Arc::new(FilesTable::from_parts(parts)))
}

impl FilesTable {
    /// The table of `parts`.
    pub fn from_parts(parts: FilesTableParts) -> Self {
        let partition = |name: &String| Arc::new(Field::new(name, partition_type(), true));
        let mut partitions: Vec<FieldRef> = parts.partitions.iter().map(partition).collect();
        let own = parts.file_schema.fields().iter().chain(&partitions).cloned().collect::<Vec<_>>();
        let mut virtual_columns = Vec::new();
        if provenance::is_ours(&parts) {
            let (file, row) = provenance::scanned(parts.kind.format);
            partitions.extend(file);
            virtual_columns = row;
        }
        let scan = TableSchema::builder(Arc::clone(&parts.file_schema))
            .with_table_partition_cols(partitions)
            .with_virtual_columns(virtual_columns)
            .build();
        let schema = if provenance::is_ours(&parts) {
            let metadata = parts.file_schema.metadata().clone();
            let columns: Vec<FieldRef> = own.into_iter().chain(provenance::added()).collect();
            Arc::new(Schema::new_with_metadata(columns, metadata))
        } else {
            Arc::clone(scan.table_schema())
        };
        Self { parts, scan, schema }
    }

    /// What the table is made of.
    pub fn parts(&self) -> &FilesTableParts {
        &self.parts
    }

    /// The files that were found, sorted by path.
    pub fn files(&self) -> &[SourceFile] {
        &self.parts.files
    }

    /// Names of the files as users write them, sorted.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        self.files().iter().map(|file| display_path(&self.parts.store, &file.meta.location))
    }

    async fn current_files(&self, state: &dyn Session) -> Result<Cow<'_, [SourceFile]>> {
        if !self.parts.live {
            return Ok(Cow::Borrowed(&self.parts.files));
        }
        let listing = list(state, &self.parts.spec).await?;
        foreign::refuse(state, &listing, self.parts.spec.format).await?;
        let kind = common_kind(&listing, &self.parts.spec)?;
        let store = state.runtime_env().object_store(&listing.store)?;
        let (kind, _) = content::settle(&listing, &self.parts.spec, kind, store.as_ref()).await?;
        if kind.format != self.parts.kind.format || (kind != self.parts.kind && !kind.is_records()) {
            return plan_err!(
                "'{}' held {} files and now holds {kind}",
                self.parts.spec.paths.join("', '"),
                self.parts.kind
            );
        }
        Ok(Cow::Owned(listing.files))
    }

    fn partitioned_file(&self, file: &SourceFile) -> Result<PartitionedFile> {
        let values = self.parts.partitions.iter().map(|name| match file.partition(name) {
            Some(Some(value)) => ScalarValue::try_from_string(value.to_owned(), &partition_type()),
            Some(None) => ScalarValue::try_from(&partition_type()),
            None => {
                let path = display_path(&self.parts.store, &file.meta.location);
                plan_err!("{path} is in no folder {name}=...")
            }
        });
        let mut values = values.collect::<Result<Vec<_>>>()?;
        if provenance::is_ours(&self.parts) {
            let path = display_path(&self.parts.store, &file.meta.location);
            values.extend(provenance::values(self.parts.kind.format, path));
        }
        Ok(PartitionedFile::new_from_meta(file.meta.clone()).with_partition_values(values))
    }

    async fn scan_records(
        &self,
        state: &dyn Session,
        plan: &Arc<RecordPlan>,
        files: Vec<PartitionedFile>,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let partitions = state.config().target_partitions();
        let store = Store::new(state.runtime_env().object_store(&self.parts.store)?, &self.parts.store);
        let schema = self.schema();
        let numbered = |column: &usize| matches!(schema.field(*column).name().as_str(), "_row" | "_row_id");
        let rows = plan.provenance && projection.is_none_or(|columns| columns.iter().any(numbered));
        // A few rows are at the beginning.
        let files = if limit.is_some() { files } else { records::split(plan, &store, files, partitions, rows).await? };
        let (groups, statistics) = self.statistics(balanced_groups(files, partitions))?;
        let source = Arc::new(RecordSource::new(self.scan.clone(), Arc::clone(plan)));
        let config = FileScanConfigBuilder::new(self.parts.store.clone(), source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_preserve_order(true)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn is_text(&self) -> bool {
        self.parts.kind.format == Format::Text
    }

    /// Adds what the files say of their content (Parquet does), so that the optimizer knows sizes and bounds.
    async fn with_statistics(
        &self,
        state: &dyn Session,
        format: &dyn FileFormat,
        files: Vec<PartitionedFile>,
    ) -> Result<Vec<PartitionedFile>> {
        if self.parts.kind.format != Format::Parquet || !state.config().collect_statistics() {
            return Ok(files);
        }
        let store = state.runtime_env().object_store(&self.parts.store)?;
        let (store, schema) = (&store, &self.parts.file_schema);
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
                    Err(error) => return Err(self.unreadable(&file.object_meta, &error)),
                };
                let ordering = found.ordering;
                let file = file.with_statistics(Arc::new(of_file(found.statistics, schema))).with_ordering(ordering);
                let mut file = nulls_of_folders(file);
                if let Some(statistics) = file.statistics.as_mut().filter(|_| !self.scan.virtual_columns().is_empty()) {
                    let unknown = self.scan.virtual_columns().iter().map(|_| ColumnStatistics::new_unknown());
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

    fn unreadable(
        &self,
        meta: &ObjectMeta,
        error: &datafusion::common::DataFusionError,
    ) -> datafusion::common::DataFusionError {
        let path = display_path(&self.parts.store, &meta.location);
        plan_datafusion_err!("cannot read {path} as {}: {error}", self.parts.kind)
    }

    fn statistics(&self, groups: Vec<FileGroup>) -> Result<(Vec<FileGroup>, Statistics)> {
        let schema = self.scan.table_schema();
        if self.parts.kind.format != Format::Parquet {
            let files = || groups.iter().flat_map(FileGroup::iter);
            let bytes: u64 = files().map(PartitionedFile::effective_size).sum();
            let mut statistics = Statistics::new_unknown(schema);
            statistics.total_byte_size = Precision::Inexact(usize::try_from(bytes).unwrap_or(usize::MAX));
            if self.is_text() {
                statistics.num_rows = Precision::Inexact(files().count());
            }
            return Ok((groups, statistics));
        }
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
}

/// DataFusion counts no NULL in a partition column, though the folder may stand for NULL.
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

#[async_trait]
impl TableProvider for FilesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let partitions = &self.parts.partitions;
        let level = |filter: &&Expr| match () {
            () if decidable(filter, partitions, false) => TableProviderFilterPushDown::Exact,
            () if filter.is_volatile() => TableProviderFilterPushDown::Unsupported,
            () => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters.iter().map(level).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let parts = &self.parts;
        let found = self.current_files(state).await?;
        let files = found.iter().map(|file| self.partitioned_file(file)).collect::<Result<Vec<_>>>()?;
        let decided: Vec<&Expr> =
            filters.iter().filter(|filter| decidable(filter, &parts.partitions, self.is_text())).collect();
        let files = prune(&parts.store, files, &decided, &parts.partitions, self.is_text())?;
        let nothing = || {
            let schema = projection.map_or_else(|| Ok(self.schema()), |p| self.schema().project(p).map(Arc::new))?;
            Ok(Arc::new(EmptyExec::new(schema)) as Arc<dyn ExecutionPlan>)
        };
        if files.is_empty() {
            return nothing();
        }
        if let Some(plan) = &parts.records {
            return self.scan_records(state, plan, files, projection, limit).await;
        }
        let format = parts.kind.file_format(state, &parts.options)?;
        if parts.kind.format == Format::Parquet {
            parquet::agree_with_folders(state, parts, &found, &files).await?;
        }
        let files = self.with_statistics(state, format.as_ref(), files).await?;
        if files.is_empty() {
            return nothing();
        }
        let groups = balanced_groups(files, state.config().target_partitions());
        let (groups, statistics) = self.statistics(groups)?;
        let layout = match projection {
            _ if !provenance::is_ours(parts) => None,
            Some(projection) => Some(projection.clone()),
            None => Some((0..self.schema.fields().len()).collect()),
        };
        let layout = layout.map(|columns| provenance::Layout::new(&self.schema, self.scan.table_schema(), &columns));
        let layout = layout.transpose()?;
        let projection = layout.as_ref().map_or_else(|| projection.cloned(), |layout| Some(layout.columns.clone()));
        let config = FileScanConfigBuilder::new(parts.store.clone(), format.file_source(self.scan.clone()))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection)?
            .with_limit(limit)
            .build();
        let scan = format.create_physical_plan(state, config).await?;
        let scan = if parts.kind.format == Format::Parquet { guarded(scan) } else { scan };
        layout.map_or(Ok(Arc::clone(&scan)), |layout| layout.finish(scan))
    }
}

/// The one format of all files. How CSV and JSON files are compressed may differ.
pub(super) fn common_kind(listing: &Listing, spec: &SourceSpec) -> Result<FileKind> {
    let mut found: BTreeMap<FileKind, (usize, &SourceFile)> = BTreeMap::new();
    for file in &listing.files {
        let name = file.meta.location.filename().unwrap_or_default();
        found.entry(FileKind::of_name(name, spec.format)).or_insert((0, file)).0 += 1;
    }
    let mut kinds = found.keys();
    if let Some(&kind) = kinds.next() {
        let mut others = kinds.peekable();
        if others.peek().is_none() {
            return Ok(kind);
        }
        if kind.is_records() && others.all(|other| other.format == kind.format) {
            return Ok(FileKind { compression: Compression::None, ..kind });
        }
    }
    let found: Vec<String> = found
        .iter()
        .map(|(kind, (count, first))| {
            format!("{count} {kind} ({})", display_path(&listing.store, &first.meta.location))
        })
        .collect();
    plan_err!(
        "'{}' has files of several formats: {}; name those of one format with a glob such as '**/*.parquet'",
        spec.paths.join("', '"),
        found.join(", ")
    )
}

/// The columns of all files together; when that fails, the error names the first file that is to blame.
async fn infer_schema(
    state: &dyn Session,
    format: &dyn FileFormat,
    store: &Arc<dyn ObjectStore>,
    listing: &Listing,
) -> Result<SchemaRef> {
    let metas: Vec<ObjectMeta> = listing.files.iter().map(|file| file.meta.clone()).collect();
    let error = match format.infer_schema(state, store, &metas).await {
        Ok(schema) => return Ok(schema),
        Err(error) => error,
    };
    let mut merged: Option<Schema> = None;
    for meta in &metas {
        let path = display_path(&listing.store, &meta.location);
        let schema = match format.infer_schema(state, store, std::slice::from_ref(meta)).await {
            Ok(schema) => schema.as_ref().clone(),
            Err(e) => return plan_err!("cannot read {path} as {}: {e}", format.get_ext().to_uppercase()),
        };
        merged = Some(match merged {
            None => schema,
            Some(before) => Schema::try_merge([before, schema]).map_err(|e| {
                plan_datafusion_err!("the columns of {path} do not fit those of the files before it: {e}")
            })?,
        });
    }
    Err(error)
}

/// Whether a condition cannot be decided without running another plan.
pub(super) fn has_subquery(filter: &Expr) -> bool {
    let is_subquery = |expr: &Expr| {
        Ok(matches!(
            expr,
            Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::OuterReferenceColumn(..)
        ))
    };
    filter.exists(is_subquery).unwrap_or(true)
}
