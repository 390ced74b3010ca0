//! Scalar SQL functions of lakes, one file each.

pub mod row_hash;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

/// Every scalar function, in the order of the reference.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![Arc::new(ScalarUDF::new_from_impl(row_hash::RowHash::default()))]
}
