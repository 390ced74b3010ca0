//! Arithmetic that never wraps: integers and decimals out of range are errors in columns, literals and sums.
//!
//! DataFusion's `+`, `-`, `*`, unary `-`, `<<`, `>>` and `sum` wrap around on integers. [`CheckedArithmetic`] replaces the
//! operators by functions before the optimizer folds constants, so that literals and columns agree. A checked `sum` replaces
//! DataFusion's aggregate. Like all functions, these are sent to a cluster by name.

mod arithmetic;
mod operation;
mod rule;
mod sum;
mod totals;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

pub use rule::CheckedArithmetic;

/// The functions that [`CheckedArithmetic`] substitutes for operators.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    operation::Operation::ALL.iter().map(|operation| arithmetic::function(*operation)).collect()
}

/// The aggregates that replace those of DataFusion.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    vec![Arc::new(AggregateUDF::new_from_impl(sum::CheckedSum::default()))]
}

/// Whether `name` is one of [`scalar_functions`], which users never call by name.
pub fn is_operator(name: &str) -> bool {
    operation::Operation::named(name).is_some()
}
