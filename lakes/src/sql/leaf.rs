//! The leaves: tables whose rows are what a lake says of itself.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::{StreamExt, TryStreamExt};

use super::output;
use crate::discover;
use crate::graph::Counts;
use crate::lake::discover::{Listed, list_files};
use crate::options::Options;
use crate::pipeline::{self, Outcome};
use crate::retention::{self, Prices};

/// What a function does with the files below its prefix.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// Lists tables.
    Tables(Options),
    /// Compares tables.
    Containment(Options),
    /// Compares tables and says which to keep.
    Retention(Options, Prices),
}

impl Work {
    fn schema(&self) -> SchemaRef {
        match self {
            Self::Tables(_) => output::tables_schema(),
            Self::Containment(_) => output::edges_schema(),
            Self::Retention(..) => output::plan_schema(),
        }
    }
}

/// A function over a lake, as a table.
#[derive(Debug)]
pub struct LakeFunction {
    name: &'static str,
    url: String,
    work: Work,
}

impl LakeFunction {
    /// The function `name` over `url`.
    pub fn new(name: &'static str, url: String, work: Work) -> Self {
        Self { name, url, work }
    }
}

#[async_trait]
impl TableProvider for LakeFunction {
    fn schema(&self) -> SchemaRef {
        self.work.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let listed = list_files(state, &self.url).await?;
        let exec = LakeExec::try_new(self.name, self.url.clone(), self.work.clone(), listed, projection.cloned())?;
        Ok(Arc::new(exec))
    }
}

/// Does the work in one partition; tables are read and compared on all threads.
#[derive(Debug, Clone)]
pub struct LakeExec {
    name: &'static str,
    url: String,
    work: Work,
    listed: Listed,
    projection: Option<Vec<usize>>,
    cache: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl LakeExec {
    fn try_new(
        name: &'static str,
        url: String,
        work: Work,
        listed: Listed,
        projection: Option<Vec<usize>>,
    ) -> Result<Self> {
        let schema = match &projection {
            Some(columns) => Arc::new(work.schema().project(columns)?),
            None => work.schema(),
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        let metrics = ExecutionPlanMetricsSet::new();
        Ok(Self { name, url, work, listed, projection, cache: Arc::new(properties), metrics })
    }
}

impl DisplayAs for LakeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "LakeExec: {}('{}'), files={}", self.name, self.url, self.listed.files.len())
    }
}

impl ExecutionPlan for LakeExec {
    fn name(&self) -> &str {
        "LakeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.cache
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("LakeExec takes no input") }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("LakeExec has one partition, not {}", partition + 1);
        }
        let Self { work, listed, projection, metrics, .. } = self.clone();
        let baseline = BaselineMetrics::new(&self.metrics, 0);
        let batches = async move {
            let batches = run(work, listed, &context, &metrics).await?;
            Ok::<_, DataFusionError>(futures::stream::iter(batches).map(move |batch| match &projection {
                Some(columns) => Ok(batch?.project(columns)?),
                None => batch,
            }))
        };
        let batches = futures::stream::once(batches).try_flatten().inspect_ok(move |batch: &RecordBatch| {
            baseline.record_output(batch.num_rows());
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

async fn run(work: Work, listed: Listed, context: &TaskContext, metrics: &ExecutionPlanMetricsSet) -> Result<Batches> {
    match work {
        Work::Tables(options) => {
            let lake = discover(listed, options.layout, options.names).await?;
            record(
                metrics,
                &Counts { bytes_read: lake.bytes_read, tables: lake.tables.len() as u64, ..Counts::default() },
            );
            Ok(Box::new(std::iter::once(output::tables(&lake))))
        }
        Work::Retention(options, prices) => {
            let outcome = compare(listed, &options, context, metrics).await?;
            let plan = retention::plan(&outcome, &prices);
            Ok(Box::new(std::iter::once(output::plan(&outcome, &plan))))
        }
        Work::Containment(options) => {
            let outcome = compare(listed, &options, context, metrics).await?;
            Ok(Box::new(output::edges(outcome, context.session_config().batch_size())))
        }
    }
}

async fn compare(
    listed: Listed,
    options: &Options,
    context: &TaskContext,
    metrics: &ExecutionPlanMetricsSet,
) -> Result<Outcome> {
    let threads = context.session_config().target_partitions();
    let outcome = pipeline::run(listed, options, &context.runtime_env(), threads).await?;
    record(metrics, &outcome.counts);
    for problem in &outcome.problems {
        log::warn!("{}: left out: {}", problem.table, problem.reason);
    }
    Ok(outcome)
}

fn record(metrics: &ExecutionPlanMetricsSet, counts: &Counts) {
    let Counts { tables, pairs, schemas, schema, types, minmax, columns, sketch, contained, scanned, bytes_read } =
        *counts;
    for (name, count) in [
        ("tables", tables),
        ("table_pairs", pairs),
        ("schemas", schemas),
        ("schema_pairs", schema),
        ("type_pairs", types),
        ("minmax_pairs", minmax),
        ("column_pairs", columns),
        ("sketch_pairs", sketch),
        ("contained_pairs", contained),
        ("tables_scanned", scanned),
        ("bytes_read", bytes_read),
    ] {
        MetricBuilder::new(metrics).counter(name, 0).add(usize::try_from(count).unwrap_or(usize::MAX));
    }
}
