//! Parses `kmeans(relation, k => 100, ...)` into a plan node.

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::{Kmeans, NAME, Rounds, reference};
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::call;
use crate::operators::vectors::plan;

/// Maximum number of centroids.
pub const MAX_CENTROIDS: u64 = 1 << 20;

/// Default number of sampled rows per centroid.
pub const SAMPLE: u64 = 256;

/// Default batch size is at least this many rows.
const BATCH: u64 = 8192;

/// Default batch size in rows per centroid.
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
        // Mini-batch k-means uses all rows. A pass moves the centroids once per batch, so few passes are needed.
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
