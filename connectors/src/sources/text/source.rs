//! The scan of text files: what `DataSourceExec` runs.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileOpenFuture, FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, apply_expression_roots};
use futures::{FutureExt, StreamExt};
use object_store::ObjectStore;

use super::TextOptions;
use super::columns::Layout;
use super::reader::{Store, TextFile, TextReader};
use crate::sources::files::groups::balanced_groups;

/// Reads text files into batches of many rows; see the [module](super).
#[derive(Clone)]
pub struct TextSource {
    table_schema: TableSchema,
    options: TextOptions,
    projection: ProjectionExprs,
    batch_size: usize,
    metrics: ExecutionPlanMetricsSet,
}

impl TextSource {
    /// A source of all columns of `table_schema`: [`super::schema`] and partition columns.
    pub fn from_options(table_schema: TableSchema, options: TextOptions) -> Self {
        let schema = table_schema.table_schema();
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        let projection = ProjectionExprs::from_indices(&all, schema);
        Self { table_schema, options, projection, batch_size: 8192, metrics: ExecutionPlanMetricsSet::new() }
    }

    /// The options: with the table schema all that is needed to build the source again elsewhere.
    pub fn options(&self) -> &TextOptions {
        &self.options
    }

    pub(super) fn batch_size(&self) -> usize {
        self.batch_size
    }
}

impl FileSource for TextSource {
    fn create_file_opener(
        &self,
        object_store: Arc<dyn ObjectStore>,
        base_config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let group = base_config
            .file_groups
            .get(partition)
            .ok_or_else(|| internal_datafusion_err!("TEXT scan has no partition {partition}"))?;
        let store = Store::new(object_store, &base_config.object_store_url);
        let layout = Layout::try_new(&self.table_schema, &self.projection)?;
        let reader = TextReader::new(store, layout, self, base_config.limit, partition);
        let files = base_config.preserve_order.then(|| group.iter().map(TextFile::new).collect());
        Ok(Arc::new(TextOpener { reader: Arc::new(reader), files, started: AtomicBool::new(false) }))
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(Self { batch_size, ..self.clone() })
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection)
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        "text"
    }

    fn fmt_extra(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(t, DisplayFormatType::TreeRender) {
            return Ok(());
        }
        if let Some(bytes) = self.options.max_file_size {
            write!(f, ", max_file_size={bytes}")?;
        }
        if self.options.skip_unreadable {
            write!(f, ", skip_unreadable=true")?;
        }
        Ok(())
    }

    fn supports_repartitioning(&self) -> bool {
        // A file is one row: it has no byte ranges to hand out. Whole files are still regrouped, below.
        false
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        _repartition_file_min_size: usize,
        output_ordering: Option<LexOrdering>,
        config: &FileScanConfig,
    ) -> Result<Option<FileScanConfig>> {
        if output_ordering.is_some() || config.file_groups.len() == target_partitions {
            return Ok(None);
        }
        let files: Vec<PartitionedFile> = config.file_groups.iter().flat_map(FileGroup::iter).cloned().collect();
        if files.len() <= config.file_groups.len() {
            return Ok(None);
        }
        let mut config = config.clone();
        config.file_groups = balanced_groups(files, target_partitions);
        Ok(Some(config))
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        let projection = self.projection.try_merge(projection)?;
        Ok(Some(Arc::new(Self { projection, ..self.clone() })))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots(self.projection.iter(), f)
    }
}

/// DataFusion opens one file at a time, and batches of one row per file would overwhelm the plan above with overhead. If
/// files are bound to their partition (`preserve_order`), the first call therefore streams the whole group and the other
/// calls nothing. If partitions share a queue of files (a scan under LIMIT), each call reads its file.
struct TextOpener {
    reader: Arc<TextReader>,
    files: Option<Arc<[TextFile]>>,
    started: AtomicBool,
}

impl FileOpener for TextOpener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let files = match &self.files {
            None => Arc::from([TextFile::new(&file)]),
            Some(files) if !self.started.swap(true, Ordering::Relaxed) => Arc::clone(files),
            Some(_) => return Ok(futures::future::ok(futures::stream::empty().boxed()).boxed()),
        };
        Ok(futures::future::ok(Arc::clone(&self.reader).stream(files)).boxed())
    }
}
