//! Arithmetic that never wraps: integers and decimals out of range are errors, in columns, literals and sums.
//!
//! DataFusion's `+`, `-`, `*`, unary `-`, `<<`, `>>` and `sum` wrap around on integers. [`CheckedArithmetic`] replaces the
//! operators by functions before the optimizer folds constants, so that literals and columns agree, and `sum` takes the
//! place of DataFusion's aggregate. The functions travel over a cluster by name like all others.

mod arithmetic;
mod operation;
mod rule;
mod sum;
mod totals;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

pub use rule::CheckedArithmetic;

/// The functions that [`CheckedArithmetic`] puts in place of operators.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    operation::Operation::ALL.iter().map(|operation| arithmetic::function(*operation)).collect()
}

/// The aggregates that take the place of DataFusion's.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    vec![Arc::new(AggregateUDF::new_from_impl(sum::CheckedSum::default()))]
}

/// Whether the function of that name is one of [`scalar_functions`], which nobody calls by name.
pub fn is_operator(name: &str) -> bool {
    operation::Operation::named(name).is_some()
}
