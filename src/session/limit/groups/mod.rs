//! Grouping that spills to disk.

mod distinct;
mod keys;
mod sections;
mod values;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::{Partitioning, PhysicalSortExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, ExecutionPlan, ExecutionPlanProperties, InputOrderMode, ReplaceChildrenOptions,
};

use super::{Plan, rewrite};
use distinct::DistinctExec;
use keys::sort;
use sections::sectioned;
use values::keeps_values;

/// With more text aggregates than this, groups are not pre-aggregated within each partition: each text of each group is an
/// allocation of its own and takes more memory than is counted.
const FEW_TEXTS: usize = 8;

/// With more keys than this, DISTINCT does not first look for copies within each partition: its table reserves megabytes per
/// key.
const FEW_KEYS: usize = 8;

/// Completes groups from sorted rows, one after another, whereas DataFusion completes all of them in one table.
///
/// * Aggregates with small states are first computed for the rows of each partition, as far as memory allows; these partial
///   states are sorted and merged.
/// * Aggregates that keep values (`array_agg`, `string_agg`, `count(DISTINCT ...)` beside others, `median`) receive the
///   sorted rows themselves, since their partial states would be as large as the rows.
/// * If such a group needs more than its result (`count(DISTINCT ...)`, `median`), or if there are no keys, rows are sorted
///   for each aggregate: [`sections`].
/// * DISTINCT compares each sorted row with the previous one.
#[derive(Debug)]
pub struct Groups;

impl PhysicalOptimizerRule for Groups {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        rewrite(&plan, &mut HashMap::new(), &|plan| match plan.downcast_ref::<AggregateExec>() {
            Some(groups) => sorted(groups),
            None => Ok(None),
        })
    }

    fn name(&self) -> &str {
        "groups_that_spill"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn sorted(groups: &AggregateExec) -> Result<Option<Plan>> {
    let keys = groups.group_expr();
    let few = groups.limit_options().is_some();
    if few || !(keys.is_empty() || keys.is_single()) {
        return Ok(None);
    }
    let rows = match groups.mode() {
        AggregateMode::Final | AggregateMode::FinalPartitioned => first_stage(groups.input()),
        AggregateMode::Single | AggregateMode::SinglePartitioned => Some(groups),
        _ => None,
    };
    if let Some(rows) = rows
        && let Some(new) = sectioned(groups, rows)?
    {
        return Ok(Some(new));
    }
    if keys.is_empty() || *groups.input_order_mode() == InputOrderMode::Sorted {
        return Ok(None);
    }
    let partitions = groups.input().output_partitioning().partition_count();
    let new = match groups.mode() {
        AggregateMode::Final | AggregateMode::FinalPartitioned => match first_stage(groups.input()) {
            Some(first) if keep_values(first.aggr_expr()) => match whole(first, partitions)? {
                Some(whole) => Some(whole),
                None => completed(groups, groups.input())?,
            },
            Some(first) if first.aggr_expr().is_empty() && first.group_expr().expr().len() > FEW_KEYS => {
                completed(groups, &without_first_stage(groups.input())?)?
            }
            _ => completed(groups, groups.input())?,
        },
        AggregateMode::Single | AggregateMode::SinglePartitioned => {
            if keep_values(groups.aggr_expr()) {
                whole(groups, partitions)?
            } else {
                two_stages(groups)?
            }
        }
        _ => None,
    };
    // Names and types must not change; the old plan is right too.
    Ok(new.filter(|new| new.schema() == groups.schema()))
}

/// The stage that computes partial groups from rows, below a redistribution.
fn first_stage(plan: &Plan) -> Option<&AggregateExec> {
    if let Some(first) = plan.downcast_ref::<AggregateExec>() {
        let keys = first.group_expr();
        let rows = *first.mode() == AggregateMode::Partial && (keys.is_empty() || keys.is_single());
        return rows.then_some(first);
    }
    if plan.is::<RepartitionExec>() || plan.is::<CoalescePartitionsExec>() {
        return plan.children().first().and_then(|input| first_stage(input));
    }
    None
}

/// The keys of all rows in the place of the stage that finds copies in each partition.
fn without_first_stage(plan: &Plan) -> Result<Plan> {
    if let Some(first) = plan.downcast_ref::<AggregateExec>() {
        let keys = first.group_expr().expr().to_vec();
        return Ok(Arc::new(ProjectionExec::try_new(keys, Arc::clone(first.input()))?));
    }
    let children = plan.children().into_iter().map(without_first_stage).collect::<Result<Vec<_>>>()?;
    Arc::clone(plan).replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
}

/// Whether groups of these aggregates may need much memory.
fn keep_values(aggregates: &[Arc<AggregateFunctionExpr>]) -> bool {
    let text = |field: &FieldRef| !field.data_type().is_primitive() && *field.data_type() != DataType::Boolean;
    let texts =
        aggregates.iter().filter(|aggregate| aggregate.state_fields().is_ok_and(|fields| fields.iter().any(text)));
    texts.count() > FEW_TEXTS || aggregates.iter().any(|aggregate| keeps_values(aggregate))
}

/// Merges partial groups from `parts`, which are sorted by key.
fn completed(groups: &AggregateExec, parts: &Plan) -> Result<Option<Plan>> {
    let Some(keys) = keys::sortable(groups.group_expr(), &parts.schema())? else { return Ok(None) };
    let by = keys.input_exprs().into_iter().map(|key| PhysicalSortExpr::new(key, SortOptions::default()));
    let input = sort(Arc::clone(parts), by.collect())?;
    let new = AggregateExec::try_new(
        *groups.mode(),
        keys,
        groups.aggr_expr().to_vec(),
        groups.filter_expr().to_vec(),
        input,
        groups.input_schema(),
    )?;
    if *new.input_order_mode() != InputOrderMode::Sorted {
        return Ok(None);
    }
    let distinct = new.aggr_expr().is_empty();
    let new: Plan = Arc::new(new);
    Ok(Some(if distinct { Arc::new(DistinctExec::new(new)) } else { new }))
}

/// Computes groups in one stage from rows sorted by key and, within a group, in the order that its aggregates require. `None`
/// if they require different orders.
fn whole(groups: &AggregateExec, partitions: usize) -> Result<Option<Plan>> {
    let orders = groups.aggr_expr().iter().map(|aggregate| aggregate.order_bys());
    let within = orders.clone().max_by_key(|order| order.len()).unwrap_or_default();
    if orders.clone().any(|order| !within.starts_with(order)) {
        return Ok(None);
    }
    let mut input = groups.input();
    while let Some(sort) = input.downcast_ref::<SortExec>().filter(|sort| sort.fetch().is_none()) {
        input = sort.input();
    }
    let Some(keys) = keys::sortable(groups.group_expr(), &input.schema())? else { return Ok(None) };
    let mut input = Arc::clone(input);
    let mut mode = AggregateMode::Single;
    if partitions > 1 {
        mode = AggregateMode::SinglePartitioned;
        if *groups.mode() == AggregateMode::Partial {
            input = Arc::new(RepartitionExec::try_new(input, Partitioning::Hash(keys.input_exprs(), partitions))?);
        }
    } else if input.output_partitioning().partition_count() > 1 {
        input = Arc::new(CoalescePartitionsExec::new(input));
    }
    let by = keys.input_exprs().into_iter().map(|key| PhysicalSortExpr::new(key, SortOptions::default()));
    let by = by.chain(within.iter().cloned());
    let input = sort(input, by.collect())?;
    let whole = AggregateExec::try_new(
        mode,
        keys,
        groups.aggr_expr().to_vec(),
        groups.filter_expr().to_vec(),
        input,
        groups.input_schema(),
    );
    // Aggregates whose orders DataFusion cannot have at once.
    Ok(whole
        .ok()
        .filter(|whole| *whole.input_order_mode() == InputOrderMode::Sorted)
        .map(|whole| Arc::new(whole) as Plan))
}

/// Splits a single stage into two.
fn two_stages(groups: &AggregateExec) -> Result<Option<Plan>> {
    let keys = groups.group_expr();
    let aggregates = groups.aggr_expr().to_vec();
    let filters = groups.filter_expr().to_vec();
    let partitioned = *groups.mode() == AggregateMode::SinglePartitioned;
    let schema = groups.input_schema();
    let first = AggregateExec::try_new(
        AggregateMode::Partial,
        keys.clone(),
        aggregates.clone(),
        filters.clone(),
        Arc::clone(groups.input()),
        Arc::clone(&schema),
    )?;
    let first: Plan = Arc::new(first);
    let many = aggregates.is_empty() && keys.expr().len() > FEW_KEYS;
    let parts = if many { without_first_stage(&first)? } else { Arc::clone(&first) };
    let mode = if partitioned { AggregateMode::FinalPartitioned } else { AggregateMode::Final };
    let last = AggregateExec::try_new(mode, keys.as_final(), aggregates, filters, first, schema)?;
    completed(&last, &parts)
}
