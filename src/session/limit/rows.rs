//! Batches bounded in bytes where rows are wide.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
    StatisticsArgs, StatisticsContext,
};
use limpid_udfs::operators::materialize::read::ReadExec;

use limpid_connectors::late_columns::FILE;

use super::Plan;

/// Bytes of a batch that is read, on average and at most.
const BYTES: usize = 16 << 20;

/// The share of a memory limit, one in so many, that such a batch may take.
const SHARE: usize = 64;

/// Bytes that the path of a file takes, generously.
const PATH: usize = 256;

/// Rows of a batch, at least.
const LEAST: usize = 4;

/// Shortens the batches of plans whose scans read wide rows. DataFusion bounds batches by rows only: 2,048 documents of a
/// megabyte would be 2 GB, in every operator at once.
#[derive(Debug)]
pub struct BatchRows {
    bytes: usize,
}

impl BatchRows {
    /// Bounds batches for a memory limit, if there is one.
    pub fn new(limit: Option<usize>) -> Self {
        Self { bytes: limit.map_or(BYTES, |limit| (limit / SHARE).min(BYTES)) }
    }
}

impl PhysicalOptimizerRule for BatchRows {
    fn optimize(&self, plan: Plan, options: &ConfigOptions) -> Result<Plan> {
        let rows = widest(&plan)?.map_or(usize::MAX, |row| (self.bytes / row.max(1)).max(LEAST));
        if rows >= options.execution.batch_size.get() {
            return Ok(plan);
        }
        Ok(Arc::new(BatchRowsExec { input: plan, rows }))
    }

    fn name(&self) -> &str {
        "batch_rows"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Bytes of a row, on average, of the scan with the widest rows.
pub(super) fn widest(plan: &Plan) -> Result<Option<usize>> {
    let children = plan.children();
    if let Some(read) = plan.downcast_ref::<ReadExec>() {
        return widest(read.input().plan());
    }
    if children.is_empty() {
        let statistics = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new())?;
        let Some(&rows) = statistics.num_rows.get_value().filter(|&&rows| rows > 0) else { return Ok(None) };
        // A scan of texts knows the bytes of its columns but not of all together.
        let schema = plan.schema();
        let columns = statistics.column_statistics.iter().zip(schema.fields()).map(|(column, field)| {
            let width = if field.name() == FILE { Some(PATH) } else { field.data_type().primitive_width() };
            column.byte_size.get_value().copied().or_else(|| Some(rows.saturating_mul(width?)))
        });
        let bytes = statistics.total_byte_size.get_value().copied().or_else(|| columns.sum::<Option<usize>>());
        return Ok(bytes.map(|bytes| bytes / rows));
    }
    let mut widest_row = None;
    for child in children {
        widest_row = widest_row.max(widest(child)?);
    }
    Ok(widest_row)
}

/// Runs its input in batches of at most so many rows.
#[derive(Debug, Clone)]
pub struct BatchRowsExec {
    input: Plan,
    rows: usize,
}

impl DisplayAs for BatchRowsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "BatchRowsExec: rows={}", self.rows)
    }
}

impl ExecutionPlan for BatchRowsExec {
    fn name(&self) -> &str {
        "BatchRowsExec"
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

    fn replace_children(self: Arc<Self>, mut children: Vec<Plan>, _: ReplaceChildrenOptions) -> Result<Plan> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self { input, rows: self.rows })),
            _ => internal_err!("BatchRowsExec takes one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Plan>) -> Result<Plan> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.rows.min(context.session_config().batch_size());
        let config = context.session_config().clone().with_batch_size(rows);
        let context = TaskContext::new(
            context.task_id(),
            context.session_id(),
            config,
            context.scalar_functions().clone(),
            context.higher_order_functions().clone(),
            context.aggregate_functions().clone(),
            context.window_functions().clone(),
            context.runtime_env(),
        );
        self.input.execute(partition, Arc::new(context))
    }
}
