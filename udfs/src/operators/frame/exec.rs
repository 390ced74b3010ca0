//! The physical node.

use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, CardinalityEffect, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, PlanProperties, ReplaceChildrenOptions,
};
use futures::{StreamExt, TryStreamExt};

use super::context::{OperatorContext, Shared, Whole, Work};
use super::explain::explain;
use super::operator::{AnyOperator, Input, Stage};

/// A call of an operator. Columns are given by their index in the input.
#[derive(Debug, Clone)]
pub struct OperatorExec {
    /// Everything that defines the result and is serialized.
    pub spec: OperatorSpec,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    passes_rows: bool,
    stage: Stage,
    cache: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    shared: Shared,
}

/// Everything that defines the result of [`OperatorExec`], except its inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatorSpec {
    /// The operator with its parameters.
    pub operator: AnyOperator,
    /// The columns of each input that the operator works on, by role.
    pub columns: Vec<Vec<usize>>,
    /// Order of the rows of the first input.
    pub order_by: Vec<(usize, SortOptions)>,
}

impl OperatorExec {
    /// Creates a node over `inputs`.
    ///
    /// # Errors
    /// The inputs lack a column, or a column has a type that the operator does not accept.
    pub fn try_new(spec: OperatorSpec, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Result<Self> {
        let name = spec.operator.name();
        let schemas: Vec<SchemaRef> = inputs.iter().map(|input| input.schema()).collect();
        let (Some(first), true) = (schemas.first(), schemas.len() == spec.columns.len()) else {
            return internal_err!("{name} has {} inputs and {} lists of columns", schemas.len(), spec.columns.len());
        };
        let fits = |(schema, columns): (&SchemaRef, &Vec<usize>)| columns.iter().all(|&c| c < schema.fields().len());
        let ordered = spec.order_by.iter().all(|(column, _)| *column < first.fields().len());
        if !ordered || !schemas.iter().zip(&spec.columns).all(fits) {
            return internal_err!("{name} refers to a column that its input does not have");
        }
        let seen: Vec<Input<'_>> =
            schemas.iter().zip(&spec.columns).map(|(schema, columns)| Input { schema, columns }).collect();
        let output = spec.operator.output(&seen)?;
        let stage = spec.operator.stage();
        if let Stage::ByKey(roles) = &stage
            && roles.iter().any(|role| *role >= spec.columns[0].len())
        {
            return internal_err!("{name} is spread by a column that it does not work on");
        }
        let partitions = match stage {
            Stage::Whole => 1,
            _ => inputs[0].output_partitioning().partition_count(),
        };
        let emission = if stage == Stage::EachPartition { EmissionType::Incremental } else { EmissionType::Final };
        let schema: Schema = output.schema(first);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::new(schema)),
            Partitioning::UnknownPartitioning(partitions),
            emission,
            Boundedness::Bounded,
        );
        let passes_rows = !output.passed.is_empty();
        let (cache, metrics, shared) = (Arc::new(properties), ExecutionPlanMetricsSet::new(), Shared::default());
        Ok(Self { spec, inputs, passes_rows, stage, cache, metrics, shared })
    }
}

impl DisplayAs for OperatorExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let schemas: Vec<_> = self.inputs.iter().map(|input| input.schema()).collect();
        let columns = schemas.iter().zip(&self.spec.columns);
        let columns: Vec<&str> =
            columns.flat_map(|(schema, columns)| columns.iter().map(|c| schema.field(*c).name().as_str())).collect();
        let order_by = self.spec.order_by.iter();
        let order_by: Vec<_> =
            order_by.map(|(column, o)| format!("{} {o}", schemas[0].field(*column).name())).collect();
        write!(f, "OperatorExec: ")?;
        explain(&self.spec.operator, &columns, &order_by, f)
    }
}

impl ExecutionPlan for OperatorExec {
    fn name(&self) -> &str {
        "OperatorExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.cache
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        let mut needed = vec![Distribution::SinglePartition; self.inputs.len()];
        needed[0] = match &self.stage {
            Stage::Whole => Distribution::SinglePartition,
            Stage::EachPartition => Distribution::UnspecifiedDistribution,
            Stage::ByKey(roles) => {
                let schema = self.inputs[0].schema();
                let key = roles.iter().map(|role| {
                    let column = self.spec.columns[0][*role];
                    Arc::new(Column::new(schema.field(column).name(), column)) as Arc<dyn PhysicalExpr>
                });
                Distribution::KeyPartitioned(key.collect())
            }
        };
        InputDistributionRequirements::new(needed)
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        (0..self.inputs.len()).map(|input| input == 0 && self.stage != Stage::Whole).collect()
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
        Ok(Arc::new(Self::try_new(self.spec.clone(), children)?))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        if self.passes_rows { CardinalityEffect::Equal } else { CardinalityEffect::Unknown }
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let name = self.spec.operator.name();
        let partitions = self.cache.output_partitioning().partition_count();
        if partition >= partitions {
            return internal_err!("{name} has {partitions} partitions; there is no partition {partition}");
        }
        let schema = self.schema();
        let others = self.inputs[1..].iter();
        let others = others.map(|input| Whole { plan: Arc::clone(input), task: Arc::clone(&task) });
        let work = Work {
            input: self.inputs[0].execute(partition, Arc::clone(&task))?,
            columns: self.spec.columns.clone(),
            order_by: self.spec.order_by.clone(),
            schema: Arc::clone(&schema),
            others: others.collect(),
            context: OperatorContext::new(task, self.metrics.clone(), partition, self.shared.clone()),
        };
        let output = futures::stream::once(self.spec.operator.run(work)).try_flatten();
        // A bug in an operator must not end the user's process.
        let output = AssertUnwindSafe(output).catch_unwind();
        let output = output.map(move |batch| batch.unwrap_or_else(|payload| Err(fault(name, payload.as_ref()))));
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let output = output.inspect_ok(move |batch: &RecordBatch| baseline.record_output(batch.num_rows()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, output)))
    }
}

/// Turns a panic in the operator `name` into an error.
fn fault(name: &str, payload: &(dyn Any + Send)) -> DataFusionError {
    let said = payload.downcast_ref::<&str>().copied();
    let said = said.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    internal_datafusion_err!("{name} failed: {said}")
}
