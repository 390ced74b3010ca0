//! The physical node.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, CardinalityEffect, EmissionType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet, SpillMetrics,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{StreamExt, TryStreamExt};
use hashbrown::HashMap;

use super::node::COMPONENT;
use crate::kernels::union_find::UnionFind;
use crate::storage::batches::BatchStore;

/// Keeps every edge and adds the smallest id of its component. Edges spill; memory is O(distinct ids).
#[derive(Debug, Clone)]
pub struct ComponentsExec {
    /// Column of one end.
    pub source: usize,
    /// Column of the other end.
    pub target: usize,
    pub(crate) input: Arc<dyn ExecutionPlan>,
    pub(crate) cache: Arc<PlanProperties>,
    pub(crate) metrics: ExecutionPlanMetricsSet,
}

impl ComponentsExec {
    /// A node that yields `schema`: the columns of `input`, then the component.
    pub fn try_new(source: usize, target: usize, input: Arc<dyn ExecutionPlan>, schema: SchemaRef) -> Result<Self> {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Ok(Self { source, target, input, cache: Arc::new(properties), metrics: ExecutionPlanMetricsSet::new() })
    }
}

impl ComponentsExec {
    /// The columns of `below`, then the component.
    pub fn output_schema(source: usize, below: &Schema) -> Result<SchemaRef> {
        if source >= below.fields().len() {
            return internal_err!("ComponentsExec refers to a column its input does not have");
        }
        let added = Field::new(COMPONENT, below.field(source).data_type().clone(), false);
        let fields: Vec<_> = below.fields().iter().cloned().chain([Arc::new(added)]).collect();
        Ok(Arc::new(Schema::new_with_metadata(fields, below.metadata().clone())))
    }
}

impl DisplayAs for ComponentsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let schema = self.input.schema();
        let name = |column: usize| schema.field(column).name().clone();
        write!(f, "ComponentsExec: source={}, target={}", name(self.source), name(self.target))
    }
}

impl ExecutionPlan for ComponentsExec {
    fn name(&self) -> &str {
        "ComponentsExec"
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
            (Some(input), true) => Ok(Arc::new(Self::try_new(self.source, self.target, input, self.schema())?)),
            _ => internal_err!("ComponentsExec takes one input"),
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
            return internal_err!("ComponentsExec has one partition, not {}", partition + 1);
        }
        let input = self.input.execute(0, Arc::clone(&context))?;
        let schema = self.schema();
        let output = run((self.source, self.target), input, Arc::clone(&schema), context, self.metrics.clone());
        let baseline = BaselineMetrics::new(&self.metrics, 0);
        let output = futures::stream::once(output).try_flatten().inspect_ok(move |batch: &RecordBatch| {
            baseline.record_output(batch.num_rows());
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, output)))
    }
}

/// Bytes an id costs in the map beyond its own.
const ENTRY: usize = 80;

async fn run(
    (source, target): (usize, usize),
    mut input: SendableRecordBatchStream,
    schema: SchemaRef,
    context: Arc<TaskContext>,
    metrics: ExecutionPlanMetricsSet,
) -> Result<SendableRecordBatchStream> {
    let env = context.runtime_env();
    let below = input.schema();
    let mut edges = BatchStore::new("edges", Arc::clone(&below), &env, SpillMetrics::new(&metrics, 0));
    let nodes = MemoryConsumer::new("ids of connected_components").register(&env.memory_pool);
    let field = SortField::new(below.field(source).data_type().clone());
    let converter = RowConverter::new(vec![field])?;
    let mut numbers: HashMap<Box<[u8]>, u32> = HashMap::new();
    let mut ends: Vec<[u32; 2]> = vec![];
    while let Some(batch) = input.try_next().await? {
        let start = ends.len();
        ends.resize(start + batch.num_rows(), [0; 2]);
        nodes.try_grow(batch.num_rows() * 8)?;
        for (end, column) in [source, target].into_iter().enumerate() {
            let ids = batch.column(column);
            if ids.null_count() > 0 {
                let name = below.field(column).name();
                return exec_err!("connected_components: column `{name}` has {} NULL in a batch", ids.null_count());
            }
            let rows = converter.convert_columns(std::slice::from_ref(ids))?;
            for (at, row) in rows.iter().enumerate() {
                let next = numbers.len() as u32;
                let number = match numbers.get(row.as_ref()) {
                    Some(number) => *number,
                    None => {
                        nodes.try_grow(ENTRY + row.as_ref().len())?;
                        numbers.insert(row.as_ref().into(), next);
                        next
                    }
                };
                ends[start + at][end] = number;
            }
        }
        edges.push(batch)?;
    }
    drop(input);

    // Ids numbered in ascending order make the smallest member the name of its component.
    let mut sorted: Vec<(Box<[u8]>, u32)> = numbers.into_iter().collect();
    sorted.sort_unstable();
    let mut rank = vec![0; sorted.len()];
    for (at, (_, number)) in sorted.iter().enumerate() {
        rank[*number as usize] = at as u32;
    }
    let mut joined = UnionFind::new(sorted.len());
    for [a, b] in &mut ends {
        (*a, *b) = (rank[*a as usize], rank[*b as usize]);
        joined.union(*a, *b);
    }
    let roots: std::collections::HashSet<u32> = (0..sorted.len() as u32).map(|id| joined.find(id)).collect();
    MetricBuilder::new(&metrics).counter("components", 0).add(roots.len());
    drop(roots);

    let mut first = 0;
    let output_schema = Arc::clone(&schema);
    let output = edges.finish()?.stream()?.map(move |batch| {
        let batch = batch?;
        let here = &ends[first..first + batch.num_rows()];
        first += batch.num_rows();
        let parser = converter.parser();
        let names = here.iter().map(|[a, _]| parser.parse(&sorted[joined.find(*a) as usize].0));
        let names = converter.convert_rows(names)?;
        let names = concat(&[names[0].as_ref()])?;
        let mut columns = batch.columns().to_vec();
        columns.push(names);
        let _held = &nodes;
        Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(output_schema, output)))
}
