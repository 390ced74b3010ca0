//! Keys of groups as they are sorted.

use std::sync::Arc;

use arrow::array::{make_comparator, new_empty_array};
use arrow::compute::SortOptions;
use arrow::datatypes::Schema;
use datafusion::common::Result;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::physical_plan::aggregates::PhysicalGroupBy;
use datafusion::physical_plan::sorts::sort::SortExec;

use super::super::Plan;
use super::super::keys::{Form, Key};

/// Converts keys to a form in which equal ones are adjacent after sorting: `-0.0` and `0.0` become one key. `None` if a type
/// has no order.
pub fn sortable(keys: &PhysicalGroupBy, schema: &Schema) -> Result<Option<PhysicalGroupBy>> {
    let mut sortable = Vec::with_capacity(keys.expr().len());
    for (key, name) in keys.expr() {
        let kind = key.data_type(schema)?;
        let none = new_empty_array(&kind);
        if make_comparator(&none, &none, SortOptions::default()).is_err() {
            return Ok(None);
        }
        let key = if kind.is_floating() { Key::of(key, Form::OneZero) } else { Arc::clone(key) };
        sortable.push((key, name.clone()));
    }
    Ok(Some(PhysicalGroupBy::new_single(sortable)))
}

/// Sorts each partition of `input`.
pub fn sort(input: Plan, by: Vec<PhysicalSortExpr>) -> Result<Plan> {
    let Some(ordering) = LexOrdering::new(by) else { return Ok(input) };
    let many = input.output_partitioning().partition_count() > 1;
    Ok(Arc::new(SortExec::new(ordering, input).with_preserve_partitioning(many)))
}
