//! Parses `max_prior_similarity(relation, ...)` into a plan node.

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::{MaxPriorSimilarity, Mode, NAME, reference};
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::call_ordered;
use crate::operators::vectors::plan;

impl SqlOperator for MaxPriorSimilarity {
    const NAME: &'static str = NAME;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::REFERENCE;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let mode = match args.word("mode")? {
            "greedy" if !args.has("threshold") => {
                return plan_err!("{NAME}: mode => 'greedy' needs `threshold => a number from 0 to 1`");
            }
            "greedy" => Mode::Greedy(args.number("threshold")?.into()),
            _ if args.has("threshold") => {
                return plan_err!(
                    "{NAME}: `threshold` has no meaning with mode => 'prior'; filter max_prior_similarity"
                );
            }
            _ => Mode::Prior,
        };
        let order_by = args.order_by()?;
        let id = args.column("id")?;
        let group = args.optional_column("partition_by")?;
        let (input, vec) = plan::with_vectors(NAME, &mut args)?;
        let columns = [vec, id].into_iter().chain(group).collect();
        call_ordered(MaxPriorSimilarity { mode }, input, columns, order_by)
    }
}
