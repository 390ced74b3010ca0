//! From `farthest_first(relation, k => 10, ...)` to its node.

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::{FarthestFirst, INITS, Init};
use crate::operators::args::Args;
use crate::operators::call::{Call, plan};

/// The SQL name.
pub const NAME: &str = "farthest_first";

/// The arguments it takes.
pub const ARGUMENTS: &[&str] = &["vec", "id", "k", "metric", "init", "partition_by", "order_by", "seed"];

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let k = args.required_integer("k", 1..=u64::from(u32::MAX))?;
    let metric = plan::metric(&mut args)?;
    let names = INITS.map(|(name, _)| name);
    let given = args.choice("init", Some("nn_max"), &names)?.unwrap_or_default();
    let init = INITS.iter().find(|(name, _)| *name == given).map_or(Init::NeighbourMax, |(_, init)| *init);
    if args.has("order_by") && init == Init::Random {
        return plan_err!("{NAME}: `order_by` has no meaning with init => 'random'");
    }
    let seed = args.settings().seed;
    let seed = args.integer("seed", seed, 0..=i64::MAX as u64)?;
    let order_by = args.order_by()?;
    let id = args.column("id", Some("id"))?;
    let group = if args.has("partition_by") { Some(args.column("partition_by", None)?) } else { None };
    let (input, vec) = plan::with_vectors(NAME, &mut args)?;
    let columns = [vec, id].into_iter().chain(group).collect();
    let call = Call::FarthestFirst(FarthestFirst { metric, k, init, seed });
    plan::call(call, vec![input], vec![columns], order_by)
}
