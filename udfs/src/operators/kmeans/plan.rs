//! From `kmeans(relation, k => 100, ...)` to its node.

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::{Kmeans, Rounds};
use crate::operators::args::Args;
use crate::operators::call::{Call, plan};

/// The SQL name.
pub const NAME: &str = "kmeans";

/// The arguments it takes.
pub const ARGUMENTS: &[&str] =
    &["vec", "id", "k", "metric", "iterations", "sample", "balanced", "mini_batch", "batch_rows", "seed"];

/// Most centroids.
pub const MOST: u64 = 1 << 20;

/// Rows a centroid is fitted to, by default.
pub const SAMPLE: u64 = 256;

/// Rows of a batch, by default, at least.
const BATCH: u64 = 8192;

/// Rows of a batch for each centroid, by default.
const BATCH_SHARE: u64 = 16;

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let k = args.required_integer("k", 1..=MOST)?;
    let metric = plan::metric(&mut args)?;
    let rounds = match (args.flag("balanced", false)?, args.flag("mini_batch", false)?) {
        (true, true) => return plan_err!("{NAME}: `balanced` and `mini_batch` exclude each other"),
        (true, false) => Rounds::Balanced,
        (false, true) => {
            let batch_rows = args.integer("batch_rows", (BATCH_SHARE * k).max(BATCH), 1..=1 << 24)?;
            Rounds::MiniBatch(batch_rows)
        }
        (false, false) => Rounds::Lloyd,
    };
    if args.has("batch_rows") {
        return plan_err!("{NAME}: `batch_rows` has a meaning with mini_batch => true only");
    }
    // Batches are for all rows; a pass of them moves the centroids as often as there are batches.
    let (iterations, sample) = match rounds {
        Rounds::MiniBatch(_) => (3, 0),
        _ => (25, (SAMPLE * k).max(16_384)),
    };
    let iterations = args.integer("iterations", iterations, 0..=10_000)?;
    let sample = args.integer("sample", sample, 0..=u64::from(u32::MAX) - 1)?;
    if sample > 0 && sample < k {
        return plan_err!("{NAME}: `sample` must be 0 (all rows) or at least k, {k}, not {sample}");
    }
    let seed = args.settings().seed;
    let seed = args.integer("seed", seed, 0..=i64::MAX as u64)?;
    let id = args.column("id", Some("id"))?;
    let (input, vec) = plan::with_vectors(NAME, &mut args)?;
    plan::call(
        Call::Kmeans(Kmeans { metric, k, iterations, sample, seed, rounds }),
        vec![input],
        vec![vec![vec, id]],
        vec![],
    )
}
