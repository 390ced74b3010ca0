//! From `multilinear_importance(retrievals, k => 10, ...)` to its node.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::{Extension, LogicalPlan};

use super::Parameters;
use crate::operators::analysis::Analysis;
use crate::operators::analysis::node::AnalysisNode;
use crate::operators::args::Args;

pub use super::NAME;

/// The arguments it takes.
pub const ARGUMENTS: &[&str] = &["query", "rank", "source", "utility", "group", "k", "learning_rate", "steps"];

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let mut columns = vec![
        args.column("query", Some("query_id"))?,
        args.column("rank", Some("rank"))?,
        args.column("source", Some("source_id"))?,
        args.column("utility", Some("utility"))?,
    ];
    if args.has("group") {
        columns.push(args.column("group", None)?);
    }
    let parameters = Parameters {
        k: args.integer("k", 10, 1..=1000)? as u32,
        rate_bits: args.number("learning_rate", 500.0, 1e-9..=1e9)?.to_bits(),
        steps: args.integer("steps", 50, 1..=100_000)? as u32,
    };
    let node = AnalysisNode::try_new(args.input().clone(), Analysis::Importance(parameters), columns)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}
