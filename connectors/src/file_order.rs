//! Makes `row_number() OVER ()` number rows in the order of the files, whatever the number of threads.
//!
//! A window without PARTITION BY and ORDER BY takes rows as they arrive, and several partitions arrive in any order. If the
//! partitions are files of a scan, possibly filtered and projected, this rule reads them one after another: a scan's
//! partitions hold the files in order. With PARTITION BY, or above a join or an aggregate, rows have no order unless the
//! query says ORDER BY.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::window::{StandardWindowExpr, WindowExpr};
use datafusion::physical_expr::{Partitioning, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::limit::GlobalLimitExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{StreamExt, TryStreamExt};

type Plan = Arc<dyn ExecutionPlan>;

/// Reads the partitions below an unordered window one after another. Must run after the rule that merges partitions.
#[derive(Debug)]
pub struct FileOrder;

impl PhysicalOptimizerRule for FileOrder {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        plan.transform_down(|node| {
            if !numbers_rows_as_they_come(&node) {
                return Ok(Transformed::no(node));
            }
            let [input] = node.children()[..] else { return Ok(Transformed::no(node)) };
            match ordered(input)? {
                Some(input) => node.replace_children(vec![input], recompute()).map(Transformed::yes),
                None => Ok(Transformed::no(node)),
            }
        })
        .data()
    }

    fn name(&self) -> &str {
        "file_order"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn recompute() -> ReplaceChildrenOptions {
    ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute)
}

/// Whether a node is a window function whose result depends on arrival order. Aggregates over all rows do not.
fn numbers_rows_as_they_come(node: &Plan) -> bool {
    let as_they_come = |expr: &Arc<dyn WindowExpr>| {
        expr.partition_by().is_empty() && expr.order_by().is_empty() && expr.as_any().is::<StandardWindowExpr>()
    };
    let bounded = node.downcast_ref::<BoundedWindowAggExec>().map(BoundedWindowAggExec::window_expr);
    let window = bounded.or_else(|| node.downcast_ref::<WindowAggExec>().map(WindowAggExec::window_expr));
    window.is_some_and(|all| all.iter().any(as_they_come))
}

/// Returns the input with its rows in file order; `None` if it has no such order.
fn ordered(input: &Plan) -> Result<Option<Plan>> {
    if let Some(coalesced) = input.downcast_ref::<CoalescePartitionsExec>() {
        let Some(below) = in_file_order(coalesced.input())? else { return Ok(None) };
        let rows: Plan = Arc::new(ConcatPartitionsExec::new(below));
        return Ok(Some(match coalesced.fetch() {
            Some(limit) => Arc::new(GlobalLimitExec::new(rows, 0, Some(limit))),
            None => rows,
        }));
    }
    // Nodes between the window and the point where partitions are merged.
    if input.is::<FilterExec>() || input.is::<ProjectionExec>() || input.is::<CooperativeExec>() {
        let [child] = input.children()[..] else { return Ok(None) };
        let Some(child) = ordered(child)? else { return Ok(None) };
        return Arc::clone(input).replace_children(vec![child], recompute()).map(Some);
    }
    Ok(None)
}

/// Returns a plan whose partitions, one after another, hold the rows in file order.
fn in_file_order(plan: &Plan) -> Result<Option<Plan>> {
    if plan.is::<DataSourceExec>() {
        return Ok(Some(plan.with_preserve_order(true).unwrap_or_else(|| Arc::clone(plan))));
    }
    // Repartitioning only serves speed here.
    if let Some(spread) = plan.downcast_ref::<RepartitionExec>()
        && matches!(spread.partitioning(), Partitioning::RoundRobinBatch(_))
    {
        return in_file_order(spread.input());
    }
    let keeps = plan.is::<FilterExec>()
        || plan.is::<ProjectionExec>()
        || plan.is::<CooperativeExec>()
        || plan.is::<UnionExec>();
    if !keeps {
        return Ok(None);
    }
    let children = plan.children().into_iter().map(in_file_order).collect::<Result<Option<Vec<_>>>>()?;
    let Some(children) = children else { return Ok(None) };
    Arc::clone(plan).replace_children(children, recompute()).map(Some)
}

/// Concatenates the rows of all partitions.
#[derive(Debug)]
struct ConcatPartitionsExec {
    input: Plan,
    properties: Arc<PlanProperties>,
}

impl ConcatPartitionsExec {
    fn new(input: Plan) -> Self {
        let mut equivalences = input.equivalence_properties().clone();
        equivalences.clear_orderings();
        equivalences.clear_per_partition_constants();
        let properties = PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(1),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self { input, properties: Arc::new(properties) }
    }
}

impl DisplayAs for ConcatPartitionsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("ConcatPartitionsExec")
    }
}

impl ExecutionPlan for ConcatPartitionsExec {
    fn name(&self) -> &str {
        "ConcatPartitionsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Plan> {
        vec![&self.input]
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
            (Some(input), true) => Ok(Arc::new(Self::new(input))),
            _ => internal_err!("ConcatPartitionsExec takes one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Plan>) -> Result<Plan> {
        self.replace_children(children, recompute())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("ConcatPartitionsExec has one partition, not {}", partition + 1);
        }
        let input = Arc::clone(&self.input);
        let partitions = self.input.output_partitioning().partition_count();
        // Each starts when the previous one has ended.
        let rows =
            futures::stream::iter(0..partitions).map(move |at| input.execute(at, Arc::clone(&context))).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), rows)))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::session_state::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use tempfile::tempdir;

    use super::*;
    use crate::sources::enable_paths;
    use crate::testing::{rows, write};

    fn session(partitions: usize) -> SessionContext {
        let config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(100);
        let state = SessionStateBuilder::new().with_config(config).with_default_features();
        let mut state = state.with_physical_optimizer_rule(Arc::new(FileOrder)).build();
        crate::register_formats(&mut state).unwrap();
        enable_paths(SessionContext::new_with_state(state))
    }

    #[tokio::test]
    async fn rows_are_numbered_as_they_are_in_the_files() {
        let dir = tempdir().unwrap();
        let number = |file: usize, row: usize| file * 1000 + row;
        for file in 0..6 {
            let lines: String = (0..1000).map(|row| format!("{{\"n\":{}}}\n", number(file, row))).collect();
            write(dir.path(), &format!("d/{file}.jsonl"), lines);
        }
        for threads in [1, 3, 8] {
            let ctx = session(threads);
            let wrong = async |sql: &str| rows(&ctx, dir.path(), sql).await;
            let numbered = "SELECT n, row_number() OVER () AS at FROM '{}/d/*.jsonl'";
            let sql = format!("SELECT count(*) FROM ({numbered}) WHERE n + 1 <> at");
            assert_eq!(wrong(&sql).await, ["0"], "{threads} threads");
            let sql = format!("SELECT count(*), max(at) FROM ({numbered} WHERE n % 2 = 1) WHERE n + 1 <> 2 * at");
            assert_eq!(wrong(&sql).await, ["0|"], "{threads} threads, filtered");
            let sql = "SELECT max(n), max(at) FROM (SELECT n, row_number() OVER () AS at FROM '{}/d/*.jsonl' LIMIT 7)";
            assert_eq!(wrong(sql).await, ["6|7"], "{threads} threads, limited");
            let sql =
                "SELECT count(*) FROM (SELECT n, lag(n) OVER () AS before FROM '{}/d/*.jsonl') WHERE n - 1 <> before";
            assert_eq!(wrong(sql).await, ["0"], "{threads} threads, lag");
        }
    }
}
