//! From `connected_components(edges, source => a, target => b)` to its node.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::{Extension, LogicalPlan};

use super::node::ComponentsNode;
use crate::operators::args::Args;

/// The SQL name.
pub const NAME: &str = "connected_components";

/// The arguments it takes.
pub const ARGUMENTS: &[&str] = &["source", "target"];

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let (source, target) = (args.column("source", Some("source"))?, args.column("target", Some("target"))?);
    let node = ComponentsNode::try_new(args.input().clone(), source, target)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}
