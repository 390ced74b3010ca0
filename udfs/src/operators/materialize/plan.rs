//! From `materialize(relation)` to its node.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::{Extension, LogicalPlan};

use super::node::MaterializeNode;
use crate::operators::args::Args;

/// The SQL name.
pub const NAME: &str = "materialize";

/// The arguments it takes: the relation alone.
pub const ARGUMENTS: &[&str] = &[];

/// Plans a call.
pub fn plan(args: Args) -> Result<LogicalPlan> {
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(MaterializeNode { input: args.into_input() }) }))
}
