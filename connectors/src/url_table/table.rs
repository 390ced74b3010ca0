//! The table of a source's files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Result, ScalarValue, Statistics, plan_datafusion_err, plan_err};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::partitions::{decidable, partition_columns, partition_type, prune};
use super::{Compression, FileKind, Format, Listing, SourceFile, SourceSpec, balanced_groups, display_path, list};

/// A table over files that were found when it was made. It reads exactly those, sorted by path, so that a query, and a job that
/// fingerprints its inputs, sees one state of the lake.
#[derive(Debug)]
pub struct FilesTable {
    parts: FilesTableParts,
    schema: TableSchema,
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
}

/// Finds the files of `spec`, decides their format and infers their columns.
///
/// # Errors
/// Those of [`list`]; files of several formats; a file that cannot be read as its format; columns that do not fit together.
pub async fn table(state: &dyn Session, spec: &SourceSpec) -> Result<Arc<FilesTable>> {
    let listing = list(state, spec).await?;
    let kind = common_kind(&listing, spec)?;
    let partitions = partition_columns(&listing, spec.partitions.as_deref())?;
    let store = state.runtime_env().object_store(&listing.store)?;
    let options = sniffed_options(&listing, kind, spec, store.as_ref()).await?;
    let format = kind.file_format(state, &options)?;
    let file_schema = infer_schema(state, format.as_ref(), &store, &listing).await?;
    if file_schema.fields().is_empty() {
        return plan_err!("the files of '{}' hold no rows, so their columns are unknown", spec.paths.join("', '"));
    }
    // A column of the same name in the files is what their writer meant.
    let partitions = partitions.into_iter().filter(|name| file_schema.index_of(name).is_err()).collect();
    let Listing { store, files } = listing;
    let parts =
        FilesTableParts { spec: spec.clone(), kind, options, store, file_schema, partitions, files, live: false };
    Ok(Arc::new(FilesTable::from_parts(parts)))
}

impl FilesTable {
    /// The table of `parts`.
    pub fn from_parts(parts: FilesTableParts) -> Self {
        let partition = |name: &String| Arc::new(Field::new(name, partition_type(), false));
        let schema = TableSchema::builder(Arc::clone(&parts.file_schema))
            .with_table_partition_cols(parts.partitions.iter().map(partition).collect::<Vec<_>>())
            .build();
        Self { parts, schema }
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
        let kind = common_kind(&listing, &self.parts.spec)?;
        if kind != self.parts.kind {
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
            Some(value) => ScalarValue::try_from_string(value.to_owned(), &partition_type()),
            None => {
                let path = display_path(&self.parts.store, &file.meta.location);
                plan_err!("{path} is in no folder {name}=...")
            }
        });
        Ok(PartitionedFile::new_from_meta(file.meta.clone()).with_partition_values(values.collect::<Result<_>>()?))
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
                let found = found.map_err(|e| self.unreadable(&file.object_meta, &e))?;
                let ordering = found.ordering;
                Ok(file.with_statistics(Arc::new(sound(found.statistics, schema))).with_ordering(ordering))
            })
            .boxed()
            .buffered(requests)
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
        let schema = self.schema.table_schema();
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

/// Statistics without what footers do not say: bounds of floats leave NaN out, so equal bounds do not make a constant column and
/// the upper one is no maximum.
fn sound(mut statistics: Statistics, schema: &Schema) -> Statistics {
    for (column, field) in statistics.column_statistics.iter_mut().zip(schema.fields()) {
        let data_type = match field.data_type() {
            DataType::Dictionary(_, value) => value,
            data_type => data_type,
        };
        if data_type.is_floating() {
            column.min_value = std::mem::take(&mut column.min_value).to_inexact();
            column.max_value = std::mem::take(&mut column.max_value).to_inexact();
        }
    }
    statistics
}

#[async_trait]
impl TableProvider for FilesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
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
        let files = self.current_files(state).await?;
        let files = files.iter().map(|file| self.partitioned_file(file)).collect::<Result<Vec<_>>>()?;
        let decided: Vec<&Expr> =
            filters.iter().filter(|filter| decidable(filter, &parts.partitions, self.is_text())).collect();
        let files = prune(&parts.store, files, &decided, &parts.partitions, self.is_text())?;
        if files.is_empty() {
            let schema = projection.map_or_else(|| Ok(self.schema()), |p| self.schema().project(p).map(Arc::new))?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let format = parts.kind.file_format(state, &parts.options)?;
        let files = self.with_statistics(state, format.as_ref(), files).await?;
        let groups = balanced_groups(files, state.config().target_partitions());
        let (groups, statistics) = self.statistics(groups)?;
        let config = FileScanConfigBuilder::new(parts.store.clone(), format.file_source(self.schema.clone()))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        format.create_physical_plan(state, config).await
    }
}

/// The one format of all files.
fn common_kind(listing: &Listing, spec: &SourceSpec) -> Result<FileKind> {
    let mut found: BTreeMap<FileKind, (usize, &SourceFile)> = BTreeMap::new();
    for file in &listing.files {
        let name = file.meta.location.filename().unwrap_or_default();
        found.entry(FileKind::of_name(name, spec.format)).or_insert((0, file)).0 += 1;
    }
    let mut kinds = found.keys();
    match (kinds.next(), kinds.next()) {
        (Some(&kind), None) => Ok(kind),
        _ => {
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
    }
}

/// The options of `spec`, and for `.json` files whether they are lines of objects or one array.
async fn sniffed_options(
    listing: &Listing,
    kind: FileKind,
    spec: &SourceSpec,
    store: &dyn ObjectStore,
) -> Result<BTreeMap<String, String>> {
    let mut options = spec.options.clone();
    let said = options.keys().any(|key| key.trim_start_matches("format.") == "newline_delimited");
    let plain_json = kind == FileKind { format: Format::Json, compression: Compression::None };
    let Some(first) = listing.files.iter().find(|file| file.meta.size > 0).filter(|_| plain_json && !said) else {
        return Ok(options);
    };
    let beginning = store.get_range(&first.meta.location, 0..first.meta.size.min(1024)).await?;
    if beginning.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        options.insert("newline_delimited".to_owned(), "false".to_owned());
    }
    Ok(options)
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
