//! Shared relations with a plan of their own, and the plan nodes that read them.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    ReplaceChildrenOptions, StatisticsArgs, StatisticsContext,
};
use futures::StreamExt;

use crate::operators::frame::materialize::exec::MaterializeExec;

type Plan = Arc<dyn ExecutionPlan>;

/// A shared relation with a plan of its own. Its rows are kept if several nodes read them.
#[derive(Debug)]
pub struct InputExec {
    /// The name shown to the user.
    pub name: String,
    /// Number of nodes that read it.
    pub readers: usize,
    input: Plan,
}

impl InputExec {
    /// Creates the relation `name`, computed by `plan` and read by `readers` nodes.
    pub fn new(name: String, readers: usize, plan: Plan) -> Self {
        let input = if readers > 1 { Arc::new(MaterializeExec::new(plan)) } else { plan };
        Self { name, readers, input }
    }

    /// The plan that computes the relation.
    pub fn plan(&self) -> &Plan {
        &self.input
    }
}

impl DisplayAs for InputExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "InputExec: {}, readers={}", self.name, self.readers)
            }
            DisplayFormatType::TreeRender => write!(f, "{}\nreaders={}", self.name, self.readers),
        }
    }
}

impl ExecutionPlan for InputExec {
    fn name(&self) -> &str {
        "InputExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Plan> {
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
        mut children: Vec<Plan>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self { name: self.name.clone(), readers: self.readers, input })),
            _ => internal_err!("InputExec takes one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Plan>) -> Result<Plan> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}

/// A plan node that reads columns of an [`InputExec`]. It is a leaf: otherwise every walk over the plan would visit the
/// shared relation, and all relations below it, once per reader.
#[derive(Debug)]
pub struct ReadExec {
    input: Arc<InputExec>,
    columns: Vec<usize>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl ReadExec {
    /// Reads the columns of `input` at positions `columns`; `schema` describes them.
    pub fn new(input: Arc<InputExec>, columns: Vec<usize>, schema: SchemaRef) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(input.input.output_partitioning().partition_count()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { input, columns, schema, properties: Arc::new(properties) }
    }

    /// The relation that is read.
    pub fn input(&self) -> &Arc<InputExec> {
        &self.input
    }

    /// A key that distinguishes this reader from readers of other relations or columns, valid while the plan exists.
    pub(super) fn key(&self) -> String {
        format!("{:p} {:?}", Arc::as_ptr(&self.input), self.columns)
    }
}

impl DisplayAs for ReadExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let columns: Vec<_> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        let (name, columns) = (&self.input.name, columns.join(", "));
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "ReadExec: {name}, columns=[{columns}]")
            }
            DisplayFormatType::TreeRender => write!(f, "{name}\ncolumns={columns}"),
        }
    }
}

impl ExecutionPlan for ReadExec {
    fn name(&self) -> &str {
        "ReadExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Plan> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(self: Arc<Self>, children: Vec<Plan>, _: ReplaceChildrenOptions) -> Result<Plan> {
        if children.is_empty() { Ok(self) } else { internal_err!("ReadExec takes no input") }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Plan>) -> Result<Plan> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        // Compute the statistics separately, because the surrounding plan treats this node as a leaf.
        let found = StatisticsContext::new().compute(self.input.plan().as_ref(), &StatisticsArgs::new())?;
        Ok(Arc::new(found.as_ref().clone().project(Some(&self.columns)).to_inexact()))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (columns, schema) = (self.columns.clone(), Arc::clone(&self.schema));
        let rows = self.input.execute(partition, context)?.map(move |batch| {
            let batch = batch?;
            let picked = columns.iter().map(|at| Arc::clone(batch.column(*at))).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            Ok(RecordBatch::try_new_with_options(Arc::clone(&schema), picked, &options)?)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows)))
    }
}
