//! The physical node of the deduplicators.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, CardinalityEffect, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, SpillMetrics};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{StreamExt, TryStreamExt};

use super::Rule;
use super::matcher::Surroundings;
use super::ranks::KeyWriter;
use crate::operators::call::workers::Workers;
use crate::storage::batches::BatchStore;

/// Keeps every row of its input and adds the decision.
///
/// Rows flow in once and are kept, spilling, until all are seen; sketches decide which pairs are compared; the
/// comparison is exact. Columns are addressed by their index in the input.
#[derive(Debug, Clone)]
pub struct DedupExec {
    /// Everything that defines the result; what a codec carries.
    pub spec: DedupSpec,
    pub(crate) input: Arc<dyn ExecutionPlan>,
    pub(crate) cache: Arc<PlanProperties>,
    pub(crate) metrics: ExecutionPlanMetricsSet,
}

/// The arguments of [`DedupExec`].
#[derive(Debug, Clone, PartialEq)]
pub struct DedupSpec {
    /// The operator's SQL name.
    pub name: String,
    /// When a row goes.
    pub rule: Rule,
    /// Column of the row key.
    pub id: usize,
    /// Columns of the survivor order.
    pub order_by: Vec<(usize, SortOptions)>,
    /// Column compared.
    pub sketch: usize,
}

impl DedupSpec {
    /// The columns of `below` without the sketch, then the decision.
    pub fn output_schema(&self, below: &Schema) -> Result<SchemaRef> {
        if self.id.max(self.sketch) >= below.fields().len() {
            return internal_err!("Dedup refers to a column its input does not have");
        }
        let passed = below.fields().iter().enumerate().filter(|(column, _)| *column != self.sketch);
        let added = super::node::added(below.field(self.id)).into_iter().map(Arc::new);
        let fields: Vec<_> = passed.map(|(_, field)| Arc::clone(field)).chain(added).collect();
        Ok(Arc::new(Schema::new_with_metadata(fields, below.metadata().clone())))
    }
}

impl DedupExec {
    /// A node that yields `schema`: the columns of `input` without the sketch, then the decision.
    pub fn try_new(spec: DedupSpec, input: Arc<dyn ExecutionPlan>, schema: SchemaRef) -> Result<Self> {
        let width = input.schema().fields().len();
        if schema.fields().len() != width + 3 {
            return internal_err!("Dedup must yield {} columns, not {}", width + 3, schema.fields().len());
        }
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Ok(Self { spec, input, cache: Arc::new(properties), metrics: ExecutionPlanMetricsSet::new() })
    }
}

impl DisplayAs for DedupExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let schema = self.input.schema();
        let name = |column: usize| schema.field(column).name().clone();
        write!(f, "DedupExec: {}, id={}, {}", self.spec.name, name(self.spec.id), self.spec.rule)?;
        if !self.spec.order_by.is_empty() {
            let order: Vec<String> =
                self.spec.order_by.iter().map(|(column, options)| format!("{} {options}", name(*column))).collect();
            write!(f, ", order_by=[{}]", order.join(", "))?;
        }
        Ok(())
    }
}

impl ExecutionPlan for DedupExec {
    fn name(&self) -> &str {
        "DedupExec"
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
            (Some(input), true) => Ok(Arc::new(Self::try_new(self.spec.clone(), input, self.schema())?)),
            _ => internal_err!("DedupExec takes one input"),
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
        if partition != 0 {
            return internal_err!("DedupExec has one partition, not {}", partition + 1);
        }
        let input = self.input.execute(0, Arc::clone(&context))?;
        let around =
            Surroundings { context, metrics: self.metrics.clone(), spills: SpillMetrics::new(&self.metrics, 0) };
        let schema = self.schema();
        let output = run(self.spec.clone(), input, Arc::clone(&schema), around);
        let baseline = BaselineMetrics::new(&self.metrics, 0);
        let output = futures::stream::once(output).try_flatten().inspect_ok(move |batch: &RecordBatch| {
            baseline.record_output(batch.num_rows());
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, output)))
    }
}

/// Reads all rows, decides, and returns the stream of rows with their decisions.
async fn run(
    spec: DedupSpec,
    mut input: SendableRecordBatchStream,
    schema: SchemaRef,
    around: Surroundings,
) -> Result<SendableRecordBatchStream> {
    let env = around.context.runtime_env();
    let below = input.schema();
    let passed: Vec<usize> = (0..below.fields().len()).filter(|&column| column != spec.sketch).collect();
    let passed_schema = Arc::new(below.project(&passed)?);
    let id = spec.id - usize::from(spec.sketch < spec.id);

    let mut rows = BatchStore::new("dedup rows", passed_schema, &env, around.spills.clone());
    let mut keys = KeyWriter::new(&spec.name, &below, spec.id, &spec.order_by, &around);
    let mut matcher = spec.rule.matcher(&around);
    while let Some(batch) = input.try_next().await? {
        keys.push(&batch)?;
        matcher.add(batch.column(spec.sketch), batch.column(spec.id))?;
        rows.push(batch.project(&passed)?)?;
    }
    drop(input);

    let keys = keys.finish()?;
    let ranks = keys.ranks(&spec.name, &around).await?;
    let workers = Workers::new(&around.context);
    let decide = move |workers: &Workers| matcher.resolve(&ranks, workers).map(|found| (found, ranks));
    let (resolution, ranks) = workers.run(&spec.name, decide).await?;
    let columns = resolution.into_columns(&keys, &ranks, &around).await?;
    drop((keys, ranks));

    let mut first = 0_u32;
    let output_schema = Arc::clone(&schema);
    let output = rows.finish()?.stream()?.map(move |batch| {
        let batch = batch?;
        let start = first;
        first += batch.num_rows() as u32;
        columns.append(&batch, id, start, &schema)
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(output_schema, output)))
}
