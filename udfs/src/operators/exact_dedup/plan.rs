//! Parses `exact_dedup(relation, ...)` into a plan node.

use datafusion::common::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::{ExactDedup, NAME, reference};
use crate::operators::dedup::{columns, with_text};
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::call_ordered;

impl SqlOperator for ExactDedup {
    const NAME: &'static str = NAME;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::REFERENCE;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let text = Expr::Column(args.column("text")?);
        let id = args.column("id")?;
        let order_by = args.order_by()?;
        let input = with_text(NAME, args.input().clone(), text)?;
        call_ordered(ExactDedup {}, input, columns(id), order_by)
    }
}
