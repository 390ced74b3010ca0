//! Joins that spill to disk.

mod keys;
mod not_in;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::compute::SortOptions;
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::{JoinType, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{StatisticsArgs, StatisticsContext, replace_children_if_necessary};
use limpid_udfs::operators::frame::materialize::exec::MaterializeExec;

use super::{Plan, rewrite};
use not_in::NotInExec;

/// Replaces hash joins, whose tables cannot spill, by sort-merge joins. A join stays if one side is known to take at most a
/// small fraction of the memory: its table holds that side.
#[derive(Debug)]
pub struct Joins {
    /// The memory limit in bytes.
    pub limit: usize,
}

/// The table of a hash join may take at most one part in this many of the limit.
const SMALL: usize = 32;

impl PhysicalOptimizerRule for Joins {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        rewrite(&plan, &mut HashMap::new(), &|plan| {
            if let Some(join) = plan.downcast_ref::<CrossJoinExec>() {
                // Takes one side in parts, where the other keeps it whole.
                let (left, right) = (Arc::clone(join.left()), Arc::clone(join.right()));
                return Ok(Some(Arc::new(NestedLoopJoinExec::try_new(left, right, None, &JoinType::Inner, None)?)));
            }
            let Some(join) = plan.downcast_ref::<HashJoinExec>() else { return Ok(None) };
            if self.is_small(join.left())? {
                Ok(None)
            } else if let Some(join) = NotInExec::new(join)? {
                Ok(Some(Arc::new(join)))
            } else if self.is_small(join.right())? && !join.null_aware {
                // The left side is the one that is kept.
                join.swap_inputs(*join.partition_mode()).map(Some)
            } else {
                sorted(join)
            }
        })
    }

    fn name(&self) -> &str {
        "joins_that_spill"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Stores the left side of joins by conditions other than equality. If it takes too much memory, DataFusion 55 runs it a
/// second time, which repartitioning nodes do not support.
#[derive(Debug)]
pub struct Rereads;

impl PhysicalOptimizerRule for Rereads {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        rewrite(&plan, &mut HashMap::new(), &|plan| {
            let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() else { return Ok(None) };
            if join.left().is::<MaterializeExec>() {
                return Ok(None);
            }
            let left = Arc::new(MaterializeExec::new(Arc::clone(join.left())));
            replace_children_if_necessary(Arc::clone(plan), vec![left, Arc::clone(join.right())]).map(Some)
        })
    }

    fn name(&self) -> &str {
        "sides_read_twice"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl Joins {
    /// Whether a side is known to be small.
    fn is_small(&self, side: &Plan) -> Result<bool> {
        let statistics = StatisticsContext::new().compute(side.as_ref(), &StatisticsArgs::new())?;
        Ok(matches!(statistics.total_byte_size, Precision::Exact(bytes) if bytes <= self.limit / SMALL))
    }
}

/// Builds the sort-merge join; later rules sort its inputs.
fn sorted(join: &HashJoinExec) -> Result<Option<Plan>> {
    // `NOT IN` over values that may be NULL, with a condition of its own.
    if join.null_aware {
        return Ok(None);
    }
    let options = vec![SortOptions::default(); join.on().len()];
    let merge = SortMergeJoinExec::try_new(
        Arc::clone(join.left()),
        Arc::clone(join.right()),
        keys::comparable(&join.on().to_vec(), &join.left().schema(), &join.right().schema())?,
        join.filter().cloned(),
        *join.join_type(),
        options,
        join.null_equality(),
    )?;
    let merge: Plan = Arc::new(merge);
    let Some(columns) = join.projection.as_deref() else { return Ok(Some(merge)) };
    let schema = merge.schema();
    let kept = columns.iter().map(|at| {
        let name = schema.field(*at).name().clone();
        (Arc::new(Column::new(&name, *at)) as Arc<dyn PhysicalExpr>, name)
    });
    Ok(Some(Arc::new(ProjectionExec::try_new(kept.collect::<Vec<_>>(), merge)?)))
}
