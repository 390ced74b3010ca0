//! The physical node.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, SpillMetrics};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::TryStreamExt;

use super::{Call, Output};
use crate::operators::assign_nearest::run::SharedCentroids;
use crate::operators::dedup::matcher::Surroundings;
use crate::operators::{
    allocate_budget, assign_nearest, concept_clusters, embed, farthest_first, kmeans, max_prior_similarity,
    nearest_neighbors,
};

/// A call of an operator. Columns are addressed by their index in their input.
#[derive(Debug, Clone)]
pub struct CallExec {
    /// Everything that defines the result; what a codec carries.
    pub spec: CallSpec,
    pub(crate) inputs: Vec<Arc<dyn ExecutionPlan>>,
    pub(crate) centroids: SharedCentroids,
    pub(crate) cache: Arc<PlanProperties>,
    pub(crate) metrics: ExecutionPlanMetricsSet,
}

/// The arguments of [`CallExec`].
#[derive(Debug, Clone, PartialEq)]
pub struct CallSpec {
    /// What is done.
    pub call: Call,
    /// The columns of each input that are worked on.
    pub columns: Vec<Vec<usize>>,
    /// Order of the rows of the first input.
    pub order_by: Vec<(usize, SortOptions)>,
}

impl CallSpec {
    /// The columns of the result.
    pub fn output_schema(&self, inputs: &[Arc<dyn ExecutionPlan>]) -> Result<SchemaRef> {
        let schemas: Vec<_> = inputs.iter().map(|input| input.schema()).collect();
        let (Some(first), true) = (schemas.first(), schemas.len() == self.columns.len()) else {
            return internal_err!("{} has {} inputs", self.call.name(), schemas.len());
        };
        let fits = |(schema, columns): (&SchemaRef, &Vec<usize>)| columns.iter().all(|&c| c < schema.fields().len());
        if !schemas.iter().zip(&self.columns).all(fits) {
            return internal_err!("{} refers to a column its input does not have", self.call.name());
        }
        let references: Vec<&Schema> = schemas.iter().map(AsRef::as_ref).collect();
        let Output { passed, added } = self.call.output(&references, &self.columns)?;
        let passed = passed.iter().map(|&column| Arc::clone(&first.fields()[column]));
        let fields: Vec<_> = passed.chain(added.into_iter().map(Arc::new)).collect();
        Ok(Arc::new(Schema::new_with_metadata(fields, first.metadata().clone())))
    }
}

impl CallExec {
    /// A node that yields `schema`.
    pub fn try_new(spec: CallSpec, inputs: Vec<Arc<dyn ExecutionPlan>>, schema: SchemaRef) -> Result<Self> {
        let Some(first) = inputs.first() else { return internal_err!("{} needs an input", spec.call.name()) };
        let (partitions, emission) = match spec.call.is_streaming() {
            true => (first.properties().output_partitioning().partition_count(), EmissionType::Incremental),
            false => (1, EmissionType::Final),
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            emission,
            Boundedness::Bounded,
        );
        let metrics = ExecutionPlanMetricsSet::new();
        Ok(Self { spec, inputs, centroids: SharedCentroids::default(), cache: Arc::new(properties), metrics })
    }
}

impl DisplayAs for CallExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "CallExec: {}", self.spec.call)?;
        if let (Some(input), false) = (self.inputs.first(), self.spec.order_by.is_empty()) {
            let schema = input.schema();
            let order = self.spec.order_by.iter();
            let order: Vec<String> = order.map(|(column, o)| format!("{} {o}", schema.field(*column).name())).collect();
            write!(f, ", order_by=[{}]", order.join(", "))?;
        }
        Ok(())
    }
}

impl ExecutionPlan for CallExec {
    fn name(&self) -> &str {
        "CallExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.cache
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        let mut needed = vec![Distribution::SinglePartition; self.inputs.len()];
        if self.spec.call.is_streaming() {
            needed[0] = Distribution::UnspecifiedDistribution;
        }
        InputDistributionRequirements::new(needed)
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        (0..self.inputs.len()).map(|input| input == 0 && self.spec.call.is_streaming()).collect()
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
        if children.len() != self.inputs.len() {
            return internal_err!("{} takes {} inputs", self.spec.call.name(), self.inputs.len());
        }
        Ok(Arc::new(Self::try_new(self.spec.clone(), children, self.schema())?))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let spec = self.spec.clone();
        let schema = self.schema();
        let spills = SpillMetrics::new(&self.metrics, partition);
        let around = Surroundings { context: Arc::clone(&context), metrics: self.metrics.clone(), spills };
        let input = self.inputs[0].execute(partition, Arc::clone(&context))?;
        let output_schema = Arc::clone(&schema);
        let output: SendableRecordBatchStream = match spec.call {
            Call::AssignNearest(call) => {
                let centroids = Arc::clone(&self.inputs[1]);
                let shared = self.centroids.clone();
                let columns = spec.columns;
                let output = assign_nearest::run::run(call, columns, input, (shared, centroids), schema, around);
                once(output_schema, output)
            }
            Call::AllocateBudget(call) => once(
                output_schema,
                allocate_budget::run::run(call, spec.columns.into_iter().flatten().collect(), input, schema, around),
            ),
            Call::ConceptClusters(call) => {
                once(output_schema, concept_clusters::run::run(call, spec.columns.concat(), input, schema, around))
            }
            Call::Embed(call) => {
                let column = spec.columns.concat().first().copied().unwrap_or_default();
                once(output_schema, embed::run::run(call, column, input, schema, (around, partition)))
            }
            Call::FarthestFirst(call) => once(
                output_schema,
                farthest_first::run::run(call, spec.columns.concat(), spec.order_by, input, schema, around),
            ),
            Call::Kmeans(call) => {
                once(output_schema, kmeans::run::run(call, spec.columns.concat(), input, schema, around))
            }
            Call::MaxPriorSimilarity(call) => once(
                output_schema,
                max_prior_similarity::run::run(call, spec.columns.concat(), spec.order_by, input, schema, around),
            ),
            Call::NearestNeighbors(call) => {
                let among = self.inputs.get(1).map(|among| among.execute(0, context)).transpose()?;
                once(output_schema, nearest_neighbors::run::run(call, spec.columns, (input, among), schema, around))
            }
        };
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let output = output.inspect_ok(move |batch: &RecordBatch| baseline.record_output(batch.num_rows()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), output)))
    }
}

/// The stream that a future gives.
fn once(
    schema: SchemaRef,
    output: impl Future<Output = Result<SendableRecordBatchStream>> + Send + 'static,
) -> SendableRecordBatchStream {
    Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::once(output).try_flatten()))
}
