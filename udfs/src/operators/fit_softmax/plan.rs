//! From `fit_softmax(rows, vector => emb, label => y, ...)` to its node.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::{Extension, LogicalPlan};

use super::Parameters;
use crate::operators::analysis::Analysis;
use crate::operators::analysis::node::AnalysisNode;
use crate::operators::args::Args;

pub use super::NAME;

/// The arguments it takes.
pub const ARGUMENTS: &[&str] = &[
    "id",
    "vector",
    "label",
    "train",
    "hidden",
    "epochs",
    "runs",
    "batch",
    "learning_rate",
    "momentum",
    "l2",
    "seed",
    "log",
];

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let mut columns = vec![
        args.column("id", Some("id"))?,
        args.column("vector", Some("vector"))?,
        args.column("label", Some("label"))?,
    ];
    if args.has("train") {
        columns.push(args.column("train", None)?);
    }
    let seed = args.settings().seed;
    let parameters = Parameters {
        hidden: args.integer("hidden", 0, 0..=16_384)? as u32,
        epochs: args.integer("epochs", 10, 1..=100_000)? as u32,
        runs: args.integer("runs", 1, 1..=10_000)? as u32,
        batch: args.integer("batch", 64, 1..=1_000_000)? as u32,
        rate_bits: args.number("learning_rate", 0.1, 1e-9..=1e6)?.to_bits(),
        momentum_bits: args.number("momentum", 0.9, 0.0..=0.9999)?.to_bits(),
        l2_bits: args.number("l2", 0.0, 0.0..=1e6)?.to_bits(),
        seed: args.integer("seed", seed, 0..=u64::MAX)?,
        last: args.choice("log", Some("every"), &["every", "last"])?.as_deref() == Some("last"),
    };
    let node = AnalysisNode::try_new(args.input().clone(), Analysis::Fit(parameters), columns)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}
