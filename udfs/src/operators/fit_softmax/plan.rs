//! Parses `fit_softmax(rows, vector => emb, label => y, ...)` into a plan node.

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;

use super::{FitSoftmax, NAME, reference};
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::call;

impl SqlOperator for FitSoftmax {
    const NAME: &'static str = NAME;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::REFERENCE;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let mut columns = vec![args.column("id")?, args.column("vector")?, args.column("label")?];
        columns.extend(args.optional_column("train")?);
        let seed = args.settings().seed;
        let parameters = FitSoftmax {
            hidden: args.integer("hidden")? as u32,
            epochs: args.integer("epochs")? as u32,
            runs: args.integer("runs")? as u32,
            batch: args.integer("batch")? as u32,
            rate: args.number("learning_rate")?.into(),
            momentum: args.number("momentum")?.into(),
            l2: args.number("l2")?.into(),
            seed: args.integer_or("seed", seed)?,
            last: args.word("log")? == "last",
        };
        call(parameters, args.input().clone(), columns)
    }
}
