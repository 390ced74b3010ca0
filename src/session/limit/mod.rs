//! Plans that keep to a memory limit.
//!
//! DataFusion bounds batches by rows, joins with hash tables that cannot spill, and sorts in a way that fails on texts. Under a limit
//! * [`joins::Joins`] turns hash joins into joins of sorted inputs, unless one side is known to be small;
//! * [`pool::Pool`] hands out memory, and counts what operators take beyond what they ask for;
//! * [`Sorts`] puts [`sort::ExternalSortExec`] and [`sort::MergeExec`] in the place of DataFusion's sorts and merges;
//!
//! and, with or without one, [`rows::BatchRows`] makes batches of wide rows shorter. `docs/memory.md` says what each operator
//! keeps, spills and needs.

pub mod joins;
pub mod pool;
pub mod rows;
pub mod sort;

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};

use sort::{ExternalSortExec, MergeExec};

type Plan = Arc<dyn ExecutionPlan>;

/// Rows of a `LIMIT` up to which DataFusion's sort, which keeps only those, is left alone.
const FEW_ROWS: usize = 1_000;

/// Puts sorts that spill what they hold, in batches bounded in bytes, in the place of DataFusion's.
#[derive(Debug)]
pub struct Sorts;

impl PhysicalOptimizerRule for Sorts {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        rewrite(&plan, &mut HashMap::new(), &|plan| {
            if let Some(sort) = plan.downcast_ref::<SortExec>()
                && sort.fetch().is_none_or(|rows| rows > FEW_ROWS)
            {
                return Ok(Some(Arc::new(ExternalSortExec::new(sort))));
            }
            if let Some(merge) = plan.downcast_ref::<SortPreservingMergeExec>()
                && merge.fetch().is_none_or(|rows| rows > FEW_ROWS)
            {
                return Ok(Some(Arc::new(MergeExec::new(merge))));
            }
            Ok(None)
        })
    }

    fn name(&self) -> &str {
        "external_sorts"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Replaces nodes from the leaves up. A part that stands in several places of the plan stays one part.
fn rewrite(
    plan: &Plan,
    done: &mut HashMap<*const (), Plan>,
    replace: &dyn Fn(&Plan) -> Result<Option<Plan>>,
) -> Result<Plan> {
    let address = Arc::as_ptr(plan).cast::<()>();
    if let Some(done) = done.get(&address) {
        return Ok(Arc::clone(done));
    }
    let children =
        plan.children().into_iter().map(|child| rewrite(child, done, replace)).collect::<Result<Vec<_>>>()?;
    let new = replace_children_if_necessary(Arc::clone(plan), children)?;
    let new = replace(&new)?.unwrap_or(new);
    done.insert(address, Arc::clone(&new));
    Ok(new)
}
