//! What SQL gains: `lake_tables('url')`, `table_containment('url')`, `table_containment(child, parent)`, `retention_plan('url')`
//! and the scalar functions of [`crate::functions`].

pub mod args;
pub mod docs;
pub mod leaf;
pub mod output;
pub mod pair;
pub mod planner;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;

use crate::functions::scalar_functions;

/// Name of the function that lists tables.
pub const LAKE_TABLES: &str = "lake_tables";
/// Name of the function that compares tables.
pub const TABLE_CONTAINMENT: &str = "table_containment";

/// Name of the function that says which tables to keep.
pub const RETENTION_PLAN: &str = "retention_plan";

/// Adds the functions to a session.
///
/// # Errors
/// When DataFusion refuses the planner.
pub fn register(state: &mut SessionState) -> Result<()> {
    for udf in scalar_functions() {
        state.register_udf(udf)?;
    }
    state.register_relation_planner(Arc::new(planner::LakePlanner))
}

/// How many relations the function of that name may take first, which the session must look up before it plans; `None` where
/// the name is none of these functions.
pub fn relations(name: &str) -> Option<usize> {
    match name {
        LAKE_TABLES | RETENTION_PLAN => Some(0),
        TABLE_CONTAINMENT => Some(2),
        _ => None,
    }
}
