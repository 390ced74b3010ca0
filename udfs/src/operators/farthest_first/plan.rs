//! Parses `farthest_first(relation, k => 10, ...)` into a plan node.

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::{FarthestFirst, INITS, Init, NAME, reference};
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::call_ordered;
use crate::operators::vectors::plan;

impl SqlOperator for FarthestFirst {
    const NAME: &'static str = NAME;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::REFERENCE;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let k = args.integer("k")?;
        let metric = plan::metric(&mut args)?;
        let init = args.choice("init", INITS)?;
        if args.has("order_by") && init == Init::Random {
            return plan_err!("{NAME}: `order_by` has no meaning with init => 'random'");
        }
        let seed = args.settings().seed;
        let seed = args.integer_or("seed", seed)?;
        let order_by = args.order_by()?;
        let id = args.column("id")?;
        let group = args.optional_column("partition_by")?;
        let (input, vec) = plan::with_vectors(NAME, &mut args)?;
        let columns = [vec, id].into_iter().chain(group).collect();
        call_ordered(FarthestFirst { metric, k, init, seed }, input, columns, order_by)
    }
}
