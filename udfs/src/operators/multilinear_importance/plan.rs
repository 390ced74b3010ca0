//! Parses `multilinear_importance(retrievals, k => 10, ...)` into a plan node.

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;

use super::{MultilinearImportance, NAME, reference};
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::call;

impl SqlOperator for MultilinearImportance {
    const NAME: &'static str = NAME;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::REFERENCE;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let mut columns =
            vec![args.column("query")?, args.column("rank")?, args.column("source")?, args.column("utility")?];
        columns.extend(args.optional_column("group")?);
        let parameters = MultilinearImportance {
            k: args.integer("k")? as u32,
            rate: args.number("learning_rate")?.into(),
            steps: args.integer("steps")? as u32,
        };
        call(parameters, args.input().clone(), columns)
    }
}
