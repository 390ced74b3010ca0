//! Keeps plans within a memory limit.
//!
//! DataFusion bounds batches by rows, joins with hash tables that cannot spill, and sorts in a way that fails on texts. Under
//! a limit
//! * [`groups::Groups`] completes groups from sorted rows;
//! * [`joins::Joins`] replaces hash joins by sort-merge joins, unless one side is known to be small;
//! * [`joins::Rereads`] stores what joins by other conditions read twice;
//! * [`pool::Pool`] hands out memory, and accounts for what operators take beyond their reservations;
//! * [`Sorts`] replaces DataFusion's sorts and merges by [`sort::ExternalSortExec`] and [`sort::MergeExec`];
//! * [`windows::Windows`] stores partitions where they may spill and, even without a limit, releases texts that frames have
//!   passed.
//!
//! With or without a limit, [`rows::BatchRows`] shortens batches of wide rows. `docs/memory.md` says what each operator
//! keeps, spills and needs.

pub mod groups;
pub mod joins;
mod keys;
pub mod pool;
pub mod rows;
pub mod sort;
pub mod windows;

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, replace_children_if_necessary};

use sort::{ExternalSortExec, MergeExec};

type Plan = Arc<dyn ExecutionPlan>;

/// DataFusion's top-k sort keeps this many batches of rows beyond the wanted ones.
const KEPT: usize = 20;

/// It may take at most one part in this many of the limit.
const SHARE: usize = 8;

/// Replaces DataFusion's sorts by ones that spill, with batches bounded in bytes. A top-k sort stays if it is known to be
/// small, because it lets scans skip rows that cannot be among the first.
#[derive(Debug)]
pub struct Sorts {
    /// The memory limit in bytes.
    pub limit: usize,
}

impl Sorts {
    fn keeps_little(&self, sort: &SortExec, options: &ConfigOptions) -> Result<bool> {
        let (Some(rows), Some(width)) = (sort.fetch(), rows::widest(sort.input())?) else { return Ok(false) };
        let rows = rows.saturating_add(KEPT * options.execution.batch_size.get());
        let partitions = sort.input().output_partitioning().partition_count();
        Ok(rows.saturating_mul(width).saturating_mul(partitions) <= self.limit / SHARE)
    }
}

impl PhysicalOptimizerRule for Sorts {
    fn optimize(&self, plan: Plan, options: &ConfigOptions) -> Result<Plan> {
        rewrite(&plan, &mut HashMap::new(), &|plan| {
            if let Some(sort) = plan.downcast_ref::<SortExec>()
                && !self.keeps_little(sort, options)?
            {
                return Ok(Some(Arc::new(ExternalSortExec::new(sort))));
            }
            let merge = plan.downcast_ref::<SortPreservingMergeExec>();
            Ok(merge.map(|merge| Arc::new(MergeExec::new(merge)) as Plan))
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
