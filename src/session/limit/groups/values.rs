//! Aggregates that keep the values they are given.

use arrow::datatypes::{DataType, FieldRef};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

/// Whether a group of this aggregate grows with its rows.
pub fn keeps_values(aggregate: &AggregateFunctionExpr) -> bool {
    let name = aggregate.fun().name();
    if name.starts_with("approx_") {
        return false;
    }
    let lists = |fields: Vec<FieldRef>| {
        fields.iter().any(|field| matches!(field.data_type(), DataType::List(_) | DataType::LargeList(_)))
    };
    name == "string_agg" || aggregate.is_distinct() || aggregate.state_fields().is_ok_and(lists)
}
