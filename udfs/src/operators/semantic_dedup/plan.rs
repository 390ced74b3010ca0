//! From `semantic_dedup(relation, ...)` to its node.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::{Extension, LogicalPlan};

use super::{Mode, Semantic};
use crate::operators::args::Args;
use crate::operators::call::plan::with_vectors;
use crate::operators::dedup::Rule;
use crate::operators::dedup::node::DedupNode;
use crate::operators::kmeans::plan::MOST;

/// The SQL name.
pub const NAME: &str = "semantic_dedup";

/// The arguments it takes.
pub const ARGUMENTS: &[&str] = &["vec", "id", "order_by", "threshold", "mode", "recall", "cells", "seed"];

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let id = args.column("id", Some("id"))?;
    let order_by = args.order_by()?;
    let threshold = args.number("threshold", 0.9, 0.1..=1.0)?;
    let settings = args.settings();
    let recall = args.number("recall", settings.recall, 0.5..=1.0)?;
    let mode = match args.choice("mode", Some("greedy"), &["greedy", "prior"])?.as_deref() {
        Some("prior") => Mode::Prior,
        _ => Mode::Greedy,
    };
    let cells = args.integer("cells", 0, 0..=MOST)?;
    let seed = args.integer("seed", settings.seed, 0..=i64::MAX as u64)?;
    let rule = Rule::Semantic(Semantic {
        threshold_bits: threshold.to_bits(),
        mode,
        cells,
        recall_bits: recall.to_bits(),
        seed,
    });
    let (input, _) = with_vectors(NAME, &mut args)?;
    let node = DedupNode::try_new(NAME, input, rule, id, order_by)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}
