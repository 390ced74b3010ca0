//! The table of a source's files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Result, ScalarValue, Statistics, plan_err};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::files::partitions::{decidable, partition_columns, partition_type, prune};
use super::files::place::display_path;
use super::files::{FileKind, PROVENANCE, SourceFile, SourceSpec, list};
use super::format::{Formats, Opened, Opening, SourceFormat};
use super::provenance::{self, RowNumbers};
use super::settle::settle;

/// A table over the files that existed when it was created. It reads exactly those, sorted by path, so that a query, and a
/// job that fingerprints its inputs, sees a single state of the lake.
#[derive(Debug)]
pub struct FilesTable {
    parts: FilesTableParts,
    /// Columns of the scan.
    scan: TableSchema,
    /// Columns of the table.
    schema: SchemaRef,
}

/// All that a [`FilesTable`] is.
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
    /// If set, each scan lists the files again, which must have one of these formats: a table of `CREATE EXTERNAL TABLE`.
    pub live: Option<Formats>,
    /// How the files are read.
    pub reader: Arc<dyn FilesReader>,
}

impl FilesTableParts {
    /// Whether provenance columns are wanted and must be added here rather than by the reader.
    fn has_added(&self) -> bool {
        let own = |name: &str| self.file_schema.index_of(name).is_ok() || self.partitions.iter().any(|own| own == name);
        self.spec.provenance
            && self.reader.row_numbers() != RowNumbers::Reader
            && !PROVENANCE.iter().any(|name| own(name))
    }
}

/// How the files of a table are read.
#[async_trait]
pub trait FilesReader: Debug + Send + Sync {
    /// What numbers the rows of a file.
    fn row_numbers(&self) -> RowNumbers;

    /// Whether the columns start with what is known before files are opened: `path`, `size` and `modified`.
    fn has_file_columns(&self) -> bool {
        false
    }

    /// Plans a scan; `None` if the files have no rows.
    ///
    /// # Errors
    /// A file cannot be read.
    async fn scan(&self, state: &dyn Session, scan: Scan<'_>) -> Result<Option<Arc<dyn ExecutionPlan>>>;
}

/// A scan that is to be planned.
#[derive(Debug)]
pub struct Scan<'a> {
    /// The table.
    pub table: &'a FilesTable,
    /// Its files.
    pub found: &'a [SourceFile],
    /// The files left after conditions on folders.
    pub files: Vec<PartitionedFile>,
    /// The columns that are wanted.
    pub projection: Option<&'a Vec<usize>>,
    /// Number of rows that suffice.
    pub limit: Option<usize>,
}

impl Scan<'_> {
    /// Reads `groups` of files with DataFusion's `format`; `wrap` may wrap its source.
    ///
    /// # Errors
    /// Those of the format.
    pub async fn plan(
        &self,
        state: &dyn Session,
        format: &dyn FileFormat,
        (groups, statistics): (Vec<FileGroup>, Statistics),
        wrap: fn(Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let FilesTable { parts, scan, schema } = self.table;
        let columns = match self.projection {
            _ if !parts.has_added() => None,
            Some(projection) => Some(projection.clone()),
            None => Some((0..schema.fields().len()).collect()),
        };
        let layout =
            columns.map(|columns| provenance::Layout::new(schema, scan.table_schema(), &columns)).transpose()?;
        let projection =
            layout.as_ref().map_or_else(|| self.projection.cloned(), |layout| Some(layout.columns.clone()));
        let config = FileScanConfigBuilder::new(parts.store.clone(), format.file_source(scan.clone()))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection)?
            .with_limit(self.limit)
            .build();
        let plan = wrap(format.create_physical_plan(state, config).await?);
        match layout {
            Some(layout) => layout.finish(plan),
            None => Ok(plan),
        }
    }
}

/// Makes a table of files whose format is settled.
///
/// # Errors
/// Those of [`SourceFormat::open`](super::format::SourceFormat::open); files that are in no folder of a partition column.
pub(crate) async fn open(state: &dyn Session, source: &dyn SourceFormat, files: Opening<'_>) -> Result<FilesTable> {
    let Opening { spec, listing, kind, .. } = files;
    let partitions = partition_columns(listing, spec.partitions.as_deref())?;
    let Opened { options, schema, reader } = source.open(state, files).await?;
    Ok(FilesTable::from_parts(FilesTableParts {
        spec: spec.clone(),
        kind,
        options,
        store: listing.store.clone(),
        // A column of the same name in the files is what their writer meant.
        partitions: partitions.into_iter().filter(|name| schema.index_of(name).is_err()).collect(),
        file_schema: schema,
        files: listing.files.clone(),
        live: None,
        reader,
    }))
}

impl FilesTable {
    /// The table of `parts`.
    pub fn from_parts(parts: FilesTableParts) -> Self {
        let partition = |name: &String| Arc::new(Field::new(name, partition_type(), true));
        let mut partitions: Vec<FieldRef> = parts.partitions.iter().map(partition).collect();
        let own = parts.file_schema.fields().iter().chain(&partitions).cloned().collect::<Vec<_>>();
        let mut virtual_columns = Vec::new();
        if parts.has_added() {
            let (file, row) = provenance::scanned(parts.reader.row_numbers());
            partitions.extend(file);
            virtual_columns = row;
        }
        let scan = TableSchema::builder(Arc::clone(&parts.file_schema))
            .with_table_partition_cols(partitions)
            .with_virtual_columns(virtual_columns)
            .build();
        let schema = if parts.has_added() {
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

    /// Columns of the scan: those of the files, of folders, and virtual ones.
    pub(crate) fn scan_schema(&self) -> &TableSchema {
        &self.scan
    }

    async fn current_files(&self, state: &dyn Session) -> Result<Cow<'_, [SourceFile]>> {
        let Some(formats) = self.parts.live else { return Ok(Cow::Borrowed(&self.parts.files)) };
        let listing = list(state, &self.parts.spec).await?;
        let (kind, _) = settle(formats, state, &listing, &self.parts.spec).await?;
        if kind.format != self.parts.kind.format || (kind != self.parts.kind && !kind.format.info().compressed) {
            return plan_err!(
                "'{}' held {} files and now holds {kind}",
                self.parts.spec.paths.join("', '"),
                self.parts.kind
            );
        }
        Ok(Cow::Owned(listing.files))
    }

    /// What is known of files that do not say what is in them: their sizes.
    pub(crate) fn sizes(&self, groups: &[FileGroup]) -> Statistics {
        let bytes: u64 = groups.iter().flat_map(FileGroup::iter).map(PartitionedFile::effective_size).sum();
        let mut statistics = Statistics::new_unknown(self.scan.table_schema());
        statistics.total_byte_size = Precision::Inexact(usize::try_from(bytes).unwrap_or(usize::MAX));
        statistics
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
        if self.parts.has_added() {
            let path = display_path(&self.parts.store, &file.meta.location);
            values.extend(provenance::values(self.parts.reader.row_numbers(), path));
        }
        Ok(PartitionedFile::new_from_meta(file.meta.clone()).with_partition_values(values))
    }
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
        let by_file = parts.reader.has_file_columns();
        let decided: Vec<&Expr> =
            filters.iter().filter(|filter| decidable(filter, &parts.partitions, by_file)).collect();
        let files = prune(&parts.store, files, &decided, &parts.partitions, by_file)?;
        if !files.is_empty() {
            let scan = Scan { table: self, found: &found, files, projection, limit };
            if let Some(plan) = parts.reader.scan(state, scan).await? {
                return Ok(plan);
            }
        }
        let schema = projection.map_or_else(|| Ok(self.schema()), |p| self.schema().project(p).map(Arc::new))?;
        Ok(Arc::new(EmptyExec::new(schema)))
    }
}
