//! The scan of CSV and JSON files: what `DataSourceExec` runs.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpenFuture, FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, apply_expression_roots};
use futures::FutureExt;
use object_store::ObjectStore;

use super::formats::JSON;
use super::input::Store;
use super::layout::Layout;
use super::options::OnError;
use super::reader::{Scan, Tally};
use super::{RecordPlan, options};

/// Reads CSV or JSON files into batches; see the [module](super).
#[derive(Clone)]
pub struct RecordSource {
    table_schema: TableSchema,
    plan: Arc<RecordPlan>,
    projection: ProjectionExprs,
    batch_size: usize,
    metrics: ExecutionPlanMetricsSet,
}

impl RecordSource {
    /// A source of all columns of `table_schema`: [`RecordPlan::table_schema`] and those of folders.
    pub fn new(table_schema: TableSchema, plan: Arc<RecordPlan>) -> Self {
        let schema = table_schema.table_schema();
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        let projection = ProjectionExprs::from_indices(&all, schema);
        Self { table_schema, plan, projection, batch_size: 8192, metrics: ExecutionPlanMetricsSet::new() }
    }

    /// With the table schema all that is needed to build the source again elsewhere.
    pub fn plan(&self) -> &Arc<RecordPlan> {
        &self.plan
    }
}

impl FileSource for RecordSource {
    fn create_file_opener(
        &self,
        object_store: Arc<dyn ObjectStore>,
        base_config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let scan = Scan {
            plan: Arc::clone(&self.plan),
            store: Store::new(object_store, &base_config.object_store_url),
            layout: Layout::try_new(&self.plan, &self.table_schema, &self.projection)?,
            batch_rows: self.batch_size.min(base_config.limit.unwrap_or(usize::MAX)).max(1),
            read_ahead: base_config.limit.is_none(),
            tally: Tally::new(&self.metrics, partition),
        };
        Ok(Arc::new(RecordOpener(Arc::new(scan))))
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
        if self.plan.format == JSON { "json" } else { "csv" }
    }

    fn fmt_extra(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(t, DisplayFormatType::TreeRender) {
            return Ok(());
        }
        let options::RecordOptions { on_error, rejects, .. } = &self.plan.options;
        match on_error {
            OnError::Fail => {}
            OnError::Skip => write!(f, ", on_error=skip")?,
            OnError::Null => write!(f, ", on_error=null")?,
        }
        if *rejects {
            write!(f, ", rejects=true")?;
        }
        Ok(())
    }

    fn supports_repartitioning(&self) -> bool {
        // Files are cut at the beginnings of records when the scan is planned.
        false
    }

    fn repartitioned(
        &self,
        _target_partitions: usize,
        _repartition_file_min_size: usize,
        _output_ordering: Option<LexOrdering>,
        _config: &FileScanConfig,
    ) -> Result<Option<FileScanConfig>> {
        Ok(None)
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

/// Opens one file after the other.
struct RecordOpener(Arc<Scan>);

impl FileOpener for RecordOpener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        Ok(futures::future::ok(Arc::clone(&self.0).stream(file)).boxed())
    }
}
