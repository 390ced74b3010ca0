//! From `influence(rows, target => column, ...)` to its node.

use std::sync::Arc;

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{Extension, LogicalPlan};

use super::{INFLUENCE, INVERSE_HVP, Lissa, Parameters};
use crate::operators::analysis::Analysis;
use crate::operators::analysis::node::AnalysisNode;
use crate::operators::args::Args;

/// The SQL name.
pub const NAME: &str = INFLUENCE;

/// The SQL name of the vector.
pub const VECTOR_NAME: &str = INVERSE_HVP;

/// The arguments both take.
pub const ARGUMENTS: &[&str] = &["id", "vector", "label", "target", "l2", "solver", "depth", "damp", "scale", "seed"];

/// Plans a call of `influence`.
pub fn plan(args: Args) -> Result<LogicalPlan> {
    plan_as(args, false)
}

/// Plans a call of `inverse_hvp`.
pub fn plan_vector(args: Args) -> Result<LogicalPlan> {
    plan_as(args, true)
}

fn plan_as(mut args: Args, vector: bool) -> Result<LogicalPlan> {
    let name = if vector { INVERSE_HVP } else { INFLUENCE };
    let mut columns = vec![
        args.column("id", Some("id"))?,
        args.column("vector", Some("vector"))?,
        args.column("label", Some("label"))?,
    ];
    if args.has("target") {
        columns.push(args.column("target", None)?);
    }
    let l2_bits = args.number("l2", 0.01, 1e-12..=1e6)?.to_bits();
    let solver = args.choice("solver", Some("cg"), &["cg", "lissa"])?;
    let lissa = if solver.as_deref() == Some("lissa") {
        let seed = args.settings().seed;
        Some(Lissa {
            depth: args.integer("depth", 5000, 1..=100_000_000)? as u32,
            damp_bits: args.number("damp", 0.01, 0.0..=1.0)?.to_bits(),
            scale_bits: args.number("scale", 25.0, 1e-6..=1e9)?.to_bits(),
            seed: args.integer("seed", seed, 0..=u64::MAX)?,
        })
    } else {
        for argument in ["depth", "damp", "scale", "seed"] {
            if args.has(argument) {
                return plan_err!("{name}: `{argument}` belongs to solver => 'lissa'");
            }
        }
        None
    };
    let analysis = Analysis::Influence(Parameters { vector, l2_bits, lissa });
    let node = AnalysisNode::try_new(args.input().clone(), analysis, columns)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}
