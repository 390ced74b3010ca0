//! From `kmeans(relation, k => 100, ...)` to its node.

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::{Kmeans, NAME, Rounds, reference};
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::call;
use crate::operators::vectors::plan;

/// Most centroids.
pub const MAX_CENTROIDS: u64 = 1 << 20;

/// Rows a centroid is fitted to, by default.
pub const SAMPLE: u64 = 256;

/// Rows of a batch, by default, at least.
const BATCH: u64 = 8192;

/// Rows of a batch for each centroid, by default.
const BATCH_SHARE: u64 = 16;

impl SqlOperator for Kmeans {
    const NAME: &'static str = NAME;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::REFERENCE;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let k = args.integer("k")?;
        let metric = plan::metric(&mut args)?;
        let rounds = match (args.flag("balanced")?, args.flag("mini_batch")?) {
            (true, true) => return plan_err!("{NAME}: `balanced` and `mini_batch` exclude each other"),
            (true, false) => Rounds::Balanced,
            (false, true) => {
                let batch_rows = args.integer_or("batch_rows", (BATCH_SHARE * k).max(BATCH))?;
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
        let iterations = args.integer_or("iterations", iterations)?;
        let sample = args.integer_or("sample", sample)?;
        if sample > 0 && sample < k {
            return plan_err!("{NAME}: `sample` must be 0 (all rows) or at least k, {k}, not {sample}");
        }
        let seed = args.settings().seed;
        let seed = args.integer_or("seed", seed)?;
        let id = args.column("id")?;
        let (input, vec) = plan::with_vectors(NAME, &mut args)?;
        call(Kmeans { metric, k, iterations, sample, seed, rounds }, input, vec![vec, id])
    }
}
