//! The physical node that sketches texts.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, exec_datafusion_err, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{CardinalityEffect, ExecutionPlanProperties};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::StreamExt;

use super::seen::Seen;
use super::sketch::{Sketch, Sketcher};

/// Replaces a text column by its [`Sketch`]; rows stay in order.
///
/// A text that equals an earlier one, in whatever partition of this process, is not sketched again. The batches of each
/// partition are sketched on all threads, so that one large partition does not keep the others waiting.
#[derive(Debug)]
pub struct SketchExec {
    /// How texts are sketched.
    pub sketch: Sketch,
    /// The text column.
    pub column: usize,
    pub(crate) input: Arc<dyn ExecutionPlan>,
    pub(crate) cache: Arc<PlanProperties>,
    pub(crate) metrics: ExecutionPlanMetricsSet,
    pub(crate) shared: Mutex<Option<Shared>>,
}

/// What the partitions of one execution share.
pub(crate) struct Shared {
    context: Weak<TaskContext>,
    started: HashSet<usize>,
    seen: Weak<Seen>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Shared").field("started", &self.started).finish_non_exhaustive()
    }
}

impl SketchExec {
    /// A node that sketches the texts of `column`.
    pub fn try_new(sketch: Sketch, column: usize, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let schema = Self::output_schema(&sketch, column, &input.schema())?;
        let below = input.properties();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            below.emission_type,
            below.boundedness,
        );
        let (cache, metrics) = (Arc::new(properties), ExecutionPlanMetricsSet::new());
        Ok(Self { sketch, column, input, cache, metrics, shared: Mutex::default() })
    }

    fn output_schema(sketch: &Sketch, column: usize, below: &Schema) -> Result<SchemaRef> {
        let mut fields = below.fields().to_vec();
        let Some(text) = fields.get_mut(column) else {
            return internal_err!("SketchExec refers to a column its input does not have");
        };
        *text = Arc::new(text.as_ref().clone().with_data_type(sketch.data_type()).with_nullable(true));
        Ok(Arc::new(Schema::new_with_metadata(fields, below.metadata().clone())))
    }

    /// What this execution has seen; a partition that is executed again begins a new one.
    fn seen(&self, partition: usize, context: &Arc<TaskContext>) -> Arc<Seen> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = &mut *shared
            && std::ptr::eq(shared.context.as_ptr(), Arc::as_ptr(context))
            && let Some(seen) = shared.seen.upgrade()
            && shared.started.insert(partition)
        {
            return seen;
        }
        let seen = Arc::new(Seen::new(context));
        let (context, started) = (Arc::downgrade(context), HashSet::from([partition]));
        *shared = Some(Shared { context, started, seen: Arc::downgrade(&seen) });
        seen
    }
}

impl DisplayAs for SketchExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "SketchExec: {}", self.sketch)
    }
}

impl ExecutionPlan for SketchExec {
    fn name(&self) -> &str {
        "SketchExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.cache
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
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
            (Some(input), true) => Ok(Arc::new(Self::try_new(self.sketch, self.column, input)?)),
            _ => internal_err!("SketchExec takes one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let work = Arc::new(Work {
            sketch: self.sketch,
            column: self.column,
            schema: self.schema(),
            seen: self.seen(partition, &context),
            idle: Mutex::default(),
        });
        let threads = context.session_config().target_partitions();
        let time = MetricBuilder::new(&self.metrics).subset_time("sketch_time", partition);
        let rows = MetricBuilder::new(&self.metrics).output_rows(partition);
        let sketched = self.input.execute(partition, context)?.map(move |batch| {
            let (work, time, rows) = (Arc::clone(&work), time.clone(), rows.clone());
            async move {
                let batch = batch?;
                let task = SpawnedTask::spawn(async move {
                    let _timer = time.timer();
                    rows.add(batch.num_rows());
                    work.batch(&batch)
                });
                task.join_unwind().await.map_err(|e| exec_datafusion_err!("minhash_dedup: {e}"))?
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), sketched.buffered(threads))))
    }
}

/// What the tasks of a partition share.
struct Work {
    sketch: Sketch,
    column: usize,
    schema: SchemaRef,
    seen: Arc<Seen>,
    /// Sketchers between two batches.
    idle: Mutex<Vec<Sketcher>>,
}

impl Work {
    fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut sketcher = idle.unwrap_or_else(|| Sketcher::new(&self.sketch));
        let mut columns = batch.columns().to_vec();
        columns[self.column] = sketcher.sketch(&columns[self.column], &self.seen)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sketcher);
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}
