//! Computes a relation once for all places in a plan that read it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet, SpillMetrics};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::future::{BoxFuture, FutureExt, Shared};
use futures::{TryFutureExt, TryStreamExt};

use crate::storage::batches::{BatchStore, StoredBatches};

/// Kept rows may take 1 / `SHARE` of the memory limit. A query keeps several relations until it ends, and other operators
/// need the rest.
const SHARE: usize = 32;

/// The rows of a partition, available once computed.
type Rows = Shared<BoxFuture<'static, Result<Arc<StoredBatches>, Arc<DataFusionError>>>>;

/// The partitions that have been requested.
type Slots = Arc<Mutex<HashMap<usize, Rows>>>;

/// Yields the rows of its input to every reader. The first reader of a partition computes it completely and stores it,
/// spilling to disk; other readers read the stored rows. A reader never waits for a node that is not running, so readers may
/// come in any order.
#[derive(Clone)]
pub struct MaterializeExec {
    pub(crate) input: Arc<dyn ExecutionPlan>,
    pub(crate) slots: Slots,
    pub(crate) metrics: ExecutionPlanMetricsSet,
}

impl fmt::Debug for MaterializeExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaterializeExec").field("input", &self.input).finish_non_exhaustive()
    }
}

impl MaterializeExec {
    /// Creates a node over `input`.
    pub fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        Self { input, slots: Slots::default(), metrics: ExecutionPlanMetricsSet::new() }
    }

    fn rows(&self, partition: usize, context: Arc<TaskContext>) -> Rows {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = slots.entry(partition).or_insert_with(|| {
            let (input, spills) = (Arc::clone(&self.input), SpillMetrics::new(&self.metrics, partition));
            keep(input, partition, context, spills).map_err(Arc::new).boxed().shared()
        });
        rows.clone()
    }
}

async fn keep(
    input: Arc<dyn ExecutionPlan>,
    partition: usize,
    context: Arc<TaskContext>,
    spills: SpillMetrics,
) -> Result<Arc<StoredBatches>> {
    let env = context.runtime_env();
    let most = match env.memory_pool.memory_limit() {
        MemoryLimit::Finite(limit) => limit / SHARE / input.output_partitioning().partition_count().max(1),
        _ => usize::MAX,
    };
    let mut store = BatchStore::new("materialized rows", input.schema(), &env, spills).with_at_most(most);
    let mut stream = input.execute(partition, context)?;
    while let Some(batch) = stream.try_next().await? {
        store.push(batch)?;
    }
    Ok(Arc::new(store.finish()?))
}

impl DisplayAs for MaterializeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("MaterializeExec")
    }
}

impl ExecutionPlan for MaterializeExec {
    fn name(&self) -> &str {
        "MaterializeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            // With a new input, the rows differ and must be stored anew.
            (Some(input), true) => Ok(Arc::new(Self::new(input))),
            _ => internal_err!("MaterializeExec takes one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.rows(partition, context);
        let kept = async move { rows.await.map_err(DataFusionError::Shared).and_then(|rows| stream(&rows)) };
        let batches = futures::stream::once(kept).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

/// Streams the stored rows, which are kept as long as a stream exists.
fn stream(rows: &Arc<StoredBatches>) -> Result<SendableRecordBatchStream> {
    let (batches, held) = (rows.stream()?, Arc::clone(rows));
    let schema = batches.schema();
    let batches = batches.inspect_ok(move |_| {
        let _ = &held;
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
}
