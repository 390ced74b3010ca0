//! Reads the late columns of the rows that the input has found.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::concat_batches;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, PhysicalExpr};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties, ReplaceChildrenOptions,
    apply_expression_roots,
};
use futures::{TryStreamExt, stream};

use super::fetch::Fetch;
use super::types::{Expr, Plan};

/// The output columns, as expressions over the late columns followed by the input's columns.
#[derive(Debug, Clone)]
pub(super) struct Outputs {
    pub exprs: Vec<Expr>,
    /// Indices of the input columns with file and row number.
    pub location: [usize; 2],
}

/// Reads columns of rows whose location the input provides, in input order.
#[derive(Debug, Clone)]
pub struct LateColumnsExec {
    input: Plan,
    fetch: Fetch,
    outputs: Outputs,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl LateColumnsExec {
    /// Replaces a plan with these properties.
    pub(super) fn new(input: Plan, fetch: Fetch, outputs: Outputs, properties: Arc<PlanProperties>) -> Self {
        Self { input, fetch, outputs, properties, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for LateColumnsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let fields = self.properties.eq_properties.schema().fields();
        let outputs = self.outputs.exprs.iter().zip(fields).map(|(expr, field)| format!("{expr} as {}", field.name()));
        write!(
            f,
            "LateColumnsExec: read=[{}], expr=[{}]",
            self.fetch.columns().join(", "),
            outputs.collect::<Vec<_>>().join(", ")
        )
    }
}

impl ExecutionPlan for LateColumnsExec {
    fn name(&self) -> &str {
        "LateColumnsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Plan> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots(&self.outputs.exprs, f)
    }

    fn replace_children(self: Arc<Self>, mut children: Vec<Plan>, _: ReplaceChildrenOptions) -> Result<Plan> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return internal_err!("LateColumnsExec takes one input");
        };
        let mut new = self.as_ref().clone();
        new.metrics = ExecutionPlanMetricsSet::new();
        new.input = input;
        Ok(Arc::new(new))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Plan>) -> Result<Plan> {
        use datafusion::physical_plan::ChildrenPropertiesMode::Recompute;
        self.replace_children(children, ReplaceChildrenOptions::new(Recompute))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("LateColumnsExec has one partition, not {}", partition + 1);
        }
        let input = self.input.execute(0, Arc::clone(&context))?;
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let (fetch, outputs, schema) = (self.fetch.clone(), self.outputs.clone(), self.schema());
        let batch_size = context.session_config().batch_size();
        let output = Arc::clone(&schema);
        let rows = async move {
            let narrow = input.schema();
            let found: Vec<RecordBatch> = input.try_collect().await?;
            let found = concat_batches(&narrow, &found)?;
            let late = fetch.rows(&found, outputs.location, &context).await?;
            let batch = outputs.evaluate(&late, &found, schema)?;
            let starts = (0..batch.num_rows()).step_by(batch_size.max(1));
            let parts: Vec<_> = starts
                .map(|start| Ok(batch.slice(start, batch_size.min(batch.num_rows() - start)).record_output(&metrics)))
                .collect();
            metrics.done();
            Ok::<_, DataFusionError>(stream::iter(parts))
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(output, stream::once(rows).try_flatten())))
    }
}

impl Outputs {
    fn evaluate(&self, late: &RecordBatch, found: &RecordBatch, schema: SchemaRef) -> Result<RecordBatch> {
        let (fields, arrays) = (late.schema().fields().clone(), late.columns());
        let fields: Vec<FieldRef> = fields.iter().chain(found.schema().fields()).cloned().collect();
        let arrays: Vec<ArrayRef> = arrays.iter().chain(found.columns()).cloned().collect();
        let options = RecordBatchOptions::new().with_row_count(Some(found.num_rows()));
        let both = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?;
        let columns = self.exprs.iter().map(|expr| expr.evaluate(&both)?.into_array(both.num_rows()));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
    }
}
