//! Parses `influence(rows, target => column, ...)` into a plan node.

use datafusion::common::{Column, Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::{INFLUENCE, INVERSE_HVP, Influence, InverseHvp, Lissa, Parameters, reference};
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::call;

impl SqlOperator for Influence {
    const NAME: &'static str = INFLUENCE;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::INFLUENCE;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let (parameters, columns) = parameters(INFLUENCE, &mut args)?;
        call(Self(parameters), args.into_input(), columns)
    }
}

impl SqlOperator for InverseHvp {
    const NAME: &'static str = INVERSE_HVP;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::INVERSE_HVP;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let (parameters, columns) = parameters(INVERSE_HVP, &mut args)?;
        call(Self(parameters), args.into_input(), columns)
    }
}

fn parameters(name: &str, args: &mut Args) -> Result<(Parameters, Vec<Column>)> {
    let mut columns = vec![args.column("id")?, args.column("vector")?, args.column("label")?];
    columns.extend(args.optional_column("target")?);
    let l2 = args.number("l2")?.into();
    let solver = args.word("solver")?;
    let lissa = if solver == "lissa" {
        let seed = args.settings().seed;
        Some(Lissa {
            depth: args.integer("depth")? as u32,
            damp: args.number("damp")?.into(),
            scale: args.number("scale")?.into(),
            seed: args.integer_or("seed", seed)?,
        })
    } else {
        for argument in ["depth", "damp", "scale", "seed"] {
            if args.has(argument) {
                return plan_err!("{name}: `{argument}` belongs to solver => 'lissa'");
            }
        }
        None
    };
    Ok((Parameters { l2, lissa }, columns))
}
