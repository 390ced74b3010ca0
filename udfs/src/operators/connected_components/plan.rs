//! Parses `connected_components(edges, source => a, target => b)` into a plan node.

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;

use super::{ConnectedComponents, NAME, reference};
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::call;

impl SqlOperator for ConnectedComponents {
    const NAME: &'static str = NAME;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::REFERENCE;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let (source, target) = (args.column("source")?, args.column("target")?);
        call(ConnectedComponents {}, args.input().clone(), vec![source, target])
    }
}
