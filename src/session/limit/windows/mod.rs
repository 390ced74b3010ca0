//! Window functions within the memory limit.
//!
//! If a frame is unbounded, DataFusion holds all rows of a partition in memory without counting them, and it retains all
//! texts that a frame has passed. Here
//! * [`frames`] keeps only the rows of the frames;
//! * [`partitions`] stores the rows of a partition where they may spill, and keeps in memory only the columns that functions
//!   read; for aggregates over whole partitions, not even those.

mod frames;
mod partitions;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::limit::LimitStream;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, SpillMetrics};
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, InputOrderMode,
    PlanProperties, ReplaceChildrenOptions,
};

use super::{Plan, rewrite};

/// Puts [`WindowExec`] in the place of DataFusion's windows over sorted partitions.
#[derive(Debug)]
pub struct Windows {
    /// Whether memory is limited. Without a limit, only windows are replaced that would become slower with every batch of
    /// texts: DataFusion joins each batch to the previous ones, and the joined array refers to all texts that a frame has
    /// passed.
    pub limited: bool,
}

impl PhysicalOptimizerRule for Windows {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        rewrite(&plan, &mut HashMap::new(), &|plan| {
            let bounded = plan.downcast_ref::<BoundedWindowAggExec>();
            let sorted = bounded.is_some_and(|window| window.input_order_mode == InputOrderMode::Sorted);
            let slow = || plan.schema().fields().iter().any(|field| has_views(field.data_type()));
            let window = if self.limited { sorted || plan.is::<WindowAggExec>() } else { sorted && slow() };
            Ok(window.then(|| Arc::new(WindowExec::new(Arc::clone(plan))) as Plan))
        })
    }

    fn name(&self) -> &str {
        "windows_that_spill"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether arrays of this type refer to texts that they share.
fn has_views(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8View | DataType::BinaryView => true,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            has_views(item.data_type())
        }
        DataType::Struct(fields) => fields.iter().any(|field| has_views(field.data_type())),
        _ => false,
    }
}

/// Does what a window of DataFusion does, within the memory pool.
#[derive(Debug, Clone)]
pub struct WindowExec {
    /// DataFusion's operator, which is not run.
    window: Plan,
    metrics: ExecutionPlanMetricsSet,
}

impl WindowExec {
    fn new(window: Plan) -> Self {
        Self { window, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for WindowExec {
    fn fmt_as(&self, form: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Limited")?;
        match (self.window.downcast_ref::<BoundedWindowAggExec>(), self.window.downcast_ref::<WindowAggExec>()) {
            (Some(window), _) => window.fmt_as(form, f),
            (_, Some(window)) => window.fmt_as(form, f),
            _ => Ok(()),
        }
    }
}

impl ExecutionPlan for WindowExec {
    fn name(&self) -> &str {
        "WindowExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.window.properties()
    }

    fn children(&self) -> Vec<&Plan> {
        self.window.children()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        self.window.input_distribution_requirements()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.window.apply_expressions(f)
    }

    fn replace_children(self: Arc<Self>, children: Vec<Plan>, options: ReplaceChildrenOptions) -> Result<Plan> {
        Ok(Arc::new(Self::new(Arc::clone(&self.window).replace_children(children, options)?)))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Plan>) -> Result<Plan> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let reservation = MemoryConsumer::new(format!("window[{partition}]")).register(context.memory_pool());
        let env = context.runtime_env();
        let rows = if let Some(window) = self.window.downcast_ref::<BoundedWindowAggExec>() {
            frames::stream(window, window.input().execute(partition, context)?, reservation)?
        } else if let Some(window) = self.window.downcast_ref::<WindowAggExec>() {
            let input = window.input().execute(partition, context)?;
            partitions::stream(window, input, reservation, env, SpillMetrics::new(&self.metrics, partition))?
        } else {
            return internal_err!("WindowExec over {}", self.window.name());
        };
        Ok(Box::pin(LimitStream::new(rows, 0, None, BaselineMetrics::new(&self.metrics, partition))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
