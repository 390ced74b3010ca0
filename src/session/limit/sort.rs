//! Sorts and merges over `limpid_udfs::storage::sort`.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, LexOrdering, PhysicalExpr};
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::limit::LimitStream;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, SpillMetrics};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, PlanProperties, ReplaceChildrenOptions,
};
use limpid_udfs::storage::sort::{BatchLimits, merge, sort};

/// Sorts each partition, or the only one, within the memory pool.
#[derive(Debug, Clone)]
pub struct ExternalSortExec {
    input: Arc<dyn ExecutionPlan>,
    ordering: LexOrdering,
    fetch: Option<usize>,
    preserve_partitioning: bool,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ExternalSortExec {
    /// Does what `sort` does.
    pub fn new(sort: &SortExec) -> Self {
        Self {
            input: Arc::clone(sort.input()),
            ordering: sort.expr().clone(),
            fetch: sort.fetch(),
            preserve_partitioning: sort.preserve_partitioning(),
            properties: Arc::clone(sort.properties()),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl DisplayAs for ExternalSortExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "ExternalSortExec: expr=[{}]", self.ordering)?;
        self.fetch.map_or(Ok(()), |rows| write!(f, ", fetch={rows}"))
    }
}

impl ExecutionPlan for ExternalSortExec {
    fn name(&self) -> &str {
        "ExternalSortExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![if self.preserve_partitioning {
            Distribution::UnspecifiedDistribution
        } else {
            Distribution::SinglePartition
        }])
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        visit(&self.ordering, f)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return internal_err!("ExternalSortExec takes one input");
        };
        let mut new = self.as_ref().clone();
        new.metrics = ExecutionPlanMetricsSet::new();
        if options.children_properties == ChildrenPropertiesMode::Recompute {
            let sort = SortExec::new(self.ordering.clone(), Arc::clone(&input));
            let sort = sort.with_preserve_partitioning(self.preserve_partitioning);
            new.properties = Arc::clone(sort.properties());
        }
        new.input = input;
        Ok(Arc::new(new))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let in_order = self.input.equivalence_properties().ordering_satisfy(self.ordering.clone())?;
        let sorted = if in_order {
            input
        } else {
            let metrics = SpillMetrics::new(&self.metrics, partition);
            let name = format!("sort[{partition}]");
            let sorted = sort(&name, input, self.ordering.clone(), self.fetch, &context, metrics);
            // A task of its own reads the input from now on: rows that are redistributed would pile up where one partition waits
            // for another.
            spawn_buffered(sorted, 1)
        };
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        Ok(Box::pin(LimitStream::new(sorted, 0, self.fetch, metrics)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// Merges the sorted partitions of its input.
#[derive(Debug, Clone)]
pub struct MergeExec {
    input: Arc<dyn ExecutionPlan>,
    ordering: LexOrdering,
    fetch: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl MergeExec {
    /// Does what `merge` does.
    pub fn new(merge: &SortPreservingMergeExec) -> Self {
        Self {
            input: Arc::clone(merge.input()),
            ordering: merge.expr().clone(),
            fetch: merge.fetch(),
            properties: Arc::clone(merge.properties()),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl DisplayAs for MergeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "MergeExec: [{}]", self.ordering)?;
        self.fetch.map_or(Ok(()), |rows| write!(f, ", fetch={rows}"))
    }
}

impl ExecutionPlan for MergeExec {
    fn name(&self) -> &str {
        "MergeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
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
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        visit(&self.ordering, f)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return internal_err!("MergeExec takes one input");
        };
        let mut new = self.as_ref().clone();
        new.metrics = ExecutionPlanMetricsSet::new();
        if options.children_properties == ChildrenPropertiesMode::Recompute {
            let merge = SortPreservingMergeExec::new(self.ordering.clone(), Arc::clone(&input));
            new.properties = Arc::clone(merge.properties());
        }
        new.input = input;
        Ok(Arc::new(new))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("MergeExec has one partition, not {}", partition + 1);
        }
        let partitions = self.input.output_partitioning().partition_count();
        let mut streams = (0..partitions)
            .map(|partition| self.input.execute(partition, Arc::clone(&context)))
            .collect::<Result<Vec<_>>>()?;
        let metrics = BaselineMetrics::new(&self.metrics, 0);
        let merged = if streams.len() == 1 {
            streams.remove(0)
        } else {
            // Each partition is computed in a task of its own.
            let streams = streams.into_iter().map(|stream| spawn_buffered(stream, 1)).collect();
            let reservation = MemoryConsumer::new("merge of partitions").register(context.memory_pool());
            merge(self.schema(), streams, &self.ordering, BatchLimits::of(&context), reservation)?
        };
        Ok(Box::pin(LimitStream::new(merged, 0, self.fetch, metrics)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

fn visit(
    ordering: &LexOrdering,
    f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
) -> Result<TreeNodeRecursion> {
    for by in ordering.iter() {
        if f(&by.expr)? == TreeNodeRecursion::Stop {
            return Ok(TreeNodeRecursion::Stop);
        }
    }
    Ok(TreeNodeRecursion::Continue)
}
