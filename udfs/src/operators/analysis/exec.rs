//! The physical node.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::TryStreamExt;

use super::Analysis;

/// What a computation works with.
pub struct Work {
    /// The rows.
    pub input: SendableRecordBatchStream,
    /// Where its columns are among theirs, each in its role.
    pub columns: Vec<usize>,
    /// The schema of the answer.
    pub schema: SchemaRef,
    /// Session, memory and disk.
    pub context: Arc<TaskContext>,
}

impl Work {
    /// Threads the session may use.
    pub fn threads(&self) -> usize {
        self.context.session_config().target_partitions().max(1)
    }

    /// The name of the column in that role.
    pub fn name(&self, role: usize) -> String {
        self.input.schema().field(self.columns[role]).name().clone()
    }
}

/// Computes a relation from some columns of another.
#[derive(Debug, Clone)]
pub struct AnalysisExec {
    /// What is computed.
    pub analysis: Analysis,
    /// The columns it is computed from, each in its role.
    pub columns: Vec<usize>,
    pub(crate) input: Arc<dyn ExecutionPlan>,
    pub(crate) cache: Arc<PlanProperties>,
    pub(crate) metrics: ExecutionPlanMetricsSet,
}

impl AnalysisExec {
    /// A node over `input`.
    pub fn try_new(analysis: Analysis, columns: Vec<usize>, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let below = input.schema();
        if columns.iter().any(|column| *column >= below.fields().len()) {
            return internal_err!("{} refers to a column its input does not have", analysis.name());
        }
        let fields: Vec<_> = columns.iter().map(|column| Arc::new(below.field(*column).clone())).collect();
        let schema = Arc::new(Schema::new(analysis.output(&fields)?));
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Ok(Self { analysis, columns, input, cache: Arc::new(properties), metrics: ExecutionPlanMetricsSet::new() })
    }
}

impl DisplayAs for AnalysisExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let schema = self.input.schema();
        write!(f, "AnalysisExec: {}", self.analysis.name())?;
        self.analysis.explain(&self.columns.iter().map(|at| schema.field(*at).name().as_str()).collect::<Vec<_>>(), f)
    }
}

impl ExecutionPlan for AnalysisExec {
    fn name(&self) -> &str {
        "AnalysisExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.cache
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
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
            (Some(input), true) => Ok(Arc::new(Self::try_new(self.analysis.clone(), self.columns.clone(), input)?)),
            _ => internal_err!("AnalysisExec takes one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("AnalysisExec has one partition, not {}", partition + 1);
        }
        let input = self.input.execute(0, Arc::clone(&context))?;
        let schema = self.schema();
        let work = Work { input, columns: self.columns.clone(), schema: Arc::clone(&schema), context };
        let output = self.analysis.clone().run(work);
        let baseline = BaselineMetrics::new(&self.metrics, 0);
        let output = futures::stream::once(output).try_flatten().inspect_ok(move |batch: &RecordBatch| {
            baseline.record_output(batch.num_rows());
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, output)))
    }
}
