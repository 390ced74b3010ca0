//! From `kmeans(relation, k => 100, ...)` to its node.

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::Kmeans;
use crate::operators::args::Args;
use crate::operators::call::{Call, plan};

/// The SQL name.
pub const NAME: &str = "kmeans";

/// The arguments it takes.
pub const ARGUMENTS: &[&str] = &["vec", "id", "k", "metric", "iterations", "sample", "seed"];

/// Most centroids.
pub const MOST: u64 = 1 << 20;

/// Rows a centroid is fitted to, by default.
pub const SAMPLE: u64 = 256;

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let k = args.required_integer("k", 1..=MOST)?;
    let metric = plan::metric(&mut args)?;
    let iterations = args.integer("iterations", 25, 0..=10_000)?;
    let sample = args.integer("sample", (SAMPLE * k).max(16_384), 0..=u64::from(u32::MAX) - 1)?;
    if sample > 0 && sample < k {
        return plan_err!("{NAME}: `sample` must be 0 (all rows) or at least k, {k}, not {sample}");
    }
    let seed = args.settings().seed;
    let seed = args.integer("seed", seed, 0..=i64::MAX as u64)?;
    let id = args.column("id", Some("id"))?;
    let (input, vec) = plan::with_vectors(NAME, &mut args)?;
    plan::call(Call::Kmeans(Kmeans { metric, k, iterations, sample, seed }), vec![input], vec![vec![vec, id]], vec![])
}
