//! Parses `graph_filter(rows, score => column, concepts => column)` into a plan node.

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;

use super::{GraphFilter, NAME, reference};
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::call;

impl SqlOperator for GraphFilter {
    const NAME: &'static str = NAME;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::REFERENCE;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let columns = vec![args.column("id")?, args.column("score")?, args.column("concepts")?];
        call(GraphFilter {}, args.input().clone(), columns)
    }
}
