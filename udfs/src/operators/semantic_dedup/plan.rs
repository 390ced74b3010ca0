//! Parses `semantic_dedup(relation, ...)` into a plan node.

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;

use super::parameters::{Mode, NAME, SemanticDedup};
use super::reference;
use crate::operators::dedup::columns;
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::call_ordered;
use crate::operators::vectors::plan::with_vectors;

impl SqlOperator for SemanticDedup {
    const NAME: &'static str = NAME;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::REFERENCE;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let id = args.column("id")?;
        let order_by = args.order_by()?;
        let threshold = args.number("threshold")?;
        let settings = args.settings();
        let recall = args.number_or("recall", settings.recall)?;
        let mode = args.choice("mode", &[("greedy", Mode::Greedy), ("prior", Mode::Prior)])?;
        let cells = args.integer_or("cells", 0)?;
        let seed = args.integer_or("seed", settings.seed)?;
        let (input, _) = with_vectors(NAME, &mut args)?;
        let operator = SemanticDedup { threshold: threshold.into(), mode, cells, recall: recall.into(), seed };
        call_ordered(operator, input, columns(id), order_by)
    }
}
