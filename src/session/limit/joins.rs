//! Joins that spill.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::compute::SortOptions;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::joins::{HashJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{StatisticsArgs, StatisticsContext};

use super::{Plan, rewrite};

/// Turns hash joins, whose tables cannot spill, into joins of sorted inputs. A join with a side that is known to take at most a small
/// share of the memory stays: its table holds that side.
#[derive(Debug)]
pub struct Joins {
    /// The memory limit in bytes.
    pub limit: usize,
}

/// The share of the limit that the table of a hash join may take.
const SMALL: usize = 32;

impl PhysicalOptimizerRule for Joins {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        rewrite(&plan, &mut HashMap::new(), &|plan| match plan.downcast_ref::<HashJoinExec>() {
            Some(join) if !self.fits(join)? => sorted(join),
            _ => Ok(None),
        })
    }

    fn name(&self) -> &str {
        "joins_that_spill"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl Joins {
    /// Whether the smaller side is known to be small.
    fn fits(&self, join: &HashJoinExec) -> Result<bool> {
        for side in [join.left(), join.right()] {
            let statistics = StatisticsContext::new().compute(side.as_ref(), &StatisticsArgs::new())?;
            if let Precision::Exact(bytes) = statistics.total_byte_size
                && bytes <= self.limit / SMALL
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The join over sorted inputs; its inputs are sorted by the rules that come after.
fn sorted(join: &HashJoinExec) -> Result<Option<Plan>> {
    // `NOT IN` over values that may be NULL has no other form.
    if join.null_aware {
        return Ok(None);
    }
    let options = vec![SortOptions::default(); join.on().len()];
    let merge = SortMergeJoinExec::try_new(
        Arc::clone(join.left()),
        Arc::clone(join.right()),
        join.on().to_vec(),
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
