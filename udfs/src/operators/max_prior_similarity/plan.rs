//! From `max_prior_similarity(relation, ...)` to its node.

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::{MaxPriorSimilarity, Mode};
use crate::operators::args::Args;
use crate::operators::call::{Call, plan};

/// The SQL name.
pub const NAME: &str = "max_prior_similarity";

/// The arguments it takes.
pub const ARGUMENTS: &[&str] = &["vec", "id", "partition_by", "order_by", "mode", "threshold"];

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let mode = match args.choice("mode", Some("prior"), &["prior", "greedy"])?.as_deref() {
        Some("greedy") if !args.has("threshold") => {
            return plan_err!("{NAME}: mode => 'greedy' needs `threshold => a number from 0 to 1`");
        }
        Some("greedy") => Mode::Greedy(args.number("threshold", 1.0, 0.0..=1.0)?.into()),
        _ if args.has("threshold") => {
            return plan_err!("{NAME}: `threshold` has no meaning with mode => 'prior'; filter max_prior_similarity");
        }
        _ => Mode::Prior,
    };
    let order_by = args.order_by()?;
    let id = args.column("id", Some("id"))?;
    let group = if args.has("partition_by") { Some(args.column("partition_by", None)?) } else { None };
    let (input, vec) = plan::with_vectors(NAME, &mut args)?;
    let columns = [vec, id].into_iter().chain(group).collect();
    plan::call(Call::MaxPriorSimilarity(MaxPriorSimilarity { mode }), vec![input], vec![columns], order_by)
}
