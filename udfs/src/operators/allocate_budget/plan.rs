//! Parses `allocate_budget(relation, budget => 1000, ...)` into a plan node.

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::{AllocateBudget, NAME, reference};
use crate::kernels::allocation::{Method, Rounding};
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::call;

const METHODS: &[(&str, Method)] =
    &[("equal", Method::Equal), ("proportional", Method::Proportional), ("projection", Method::Projection)];

const ROUNDINGS: &[(&str, Rounding)] = &[("largest_remainder", Rounding::LargestRemainder), ("floor", Rounding::Floor)];

impl SqlOperator for AllocateBudget {
    const NAME: &'static str = NAME;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::REFERENCE;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let budget_column = if args.names_column("budget") { args.optional_column("budget")? } else { None };
        let budget = match budget_column {
            Some(_) => None,
            None => Some(args.integer("budget")?),
        };
        let method = args.choice("method", METHODS)?;
        let rounding = args.choice("rounding", ROUNDINGS)?;
        let floor = args.integer("floor")?;
        let floor_ratio = args.number("floor_ratio")?.into();
        let mut columns = vec![args.column("group")?, args.column("size")?];
        columns.extend(args.optional_column("weight")?);
        let weighted = columns.len() == 3;
        match method {
            Method::Equal if weighted => {
                return plan_err!("{NAME}: `weight` has no meaning with method => 'equal'");
            }
            Method::Equal if rounding == Rounding::Floor => {
                return plan_err!(
                    "{NAME}: `rounding` has no meaning with method => 'equal', which deals in whole numbers"
                );
            }
            Method::Projection if !weighted => {
                return plan_err!("{NAME}: method => 'projection' needs `weight => column`");
            }
            _ => {}
        }
        columns.extend(budget_column);
        let operator = AllocateBudget { budget, method, rounding, floor, floor_ratio };
        call(operator, args.input().clone(), columns)
    }
}
