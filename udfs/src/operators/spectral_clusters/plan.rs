//! From `spectral_clusters(rows, vector => emb, k => 10, ...)` to its node.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::{Extension, LogicalPlan};

use super::Parameters;
use crate::operators::analysis::Analysis;
use crate::operators::analysis::node::AnalysisNode;
use crate::operators::args::Args;

pub use super::NAME;

/// The arguments it takes.
pub const ARGUMENTS: &[&str] = &["id", "vector", "k", "landmarks", "sigma", "seed"];

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let columns = vec![args.column("id", Some("id"))?, args.column("vector", Some("vector"))?];
    let seed = args.settings().seed;
    let parameters = Parameters {
        k: args.required_integer("k", 1..=1000)? as u32,
        landmarks: args.integer("landmarks", 200, 1..=5000)? as u32,
        sigma_bits: args.number("sigma", 0.0, 0.0..=1e15)?.to_bits(),
        seed: args.integer("seed", seed, 0..=u64::MAX)?,
    };
    let node = AnalysisNode::try_new(args.input().clone(), Analysis::Spectral(parameters), columns)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}
