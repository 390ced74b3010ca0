//! From `graph_filter(rows, score => column, concepts => column)` to its node.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::{Extension, LogicalPlan};

use super::Parameters;
use crate::operators::analysis::Analysis;
use crate::operators::analysis::node::AnalysisNode;
use crate::operators::args::Args;

pub use super::NAME;

/// The arguments it takes.
pub const ARGUMENTS: &[&str] = &["id", "score", "concepts"];

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let columns = vec![
        args.column("id", Some("id"))?,
        args.column("score", Some("score"))?,
        args.column("concepts", Some("concepts"))?,
    ];
    let node = AnalysisNode::try_new(args.input().clone(), Analysis::GraphFilter(Parameters {}), columns)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}
