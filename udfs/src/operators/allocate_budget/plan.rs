//! From `allocate_budget(relation, budget => 1000, ...)` to its node.

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::AllocateBudget;
use crate::kernels::allocation::{Method, Rounding};
use crate::operators::args::Args;
use crate::operators::call::{Call, plan};

/// The SQL name.
pub const NAME: &str = "allocate_budget";

/// The arguments it takes.
pub const ARGUMENTS: &[&str] = &["budget", "group", "size", "weight", "method", "floor", "floor_ratio", "rounding"];

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let budget_column = if args.names_column("budget") { Some(args.column("budget", None)?) } else { None };
    let budget = match budget_column {
        Some(_) => None,
        None => Some(args.required_integer("budget", 0..=i64::MAX as u64)?),
    };
    let method = match args.choice("method", Some("proportional"), &["equal", "proportional", "projection"])?.as_deref()
    {
        Some("equal") => Method::Equal,
        Some("projection") => Method::Projection,
        _ => Method::Proportional,
    };
    let rounding = match args.choice("rounding", Some("largest_remainder"), &["largest_remainder", "floor"])?.as_deref()
    {
        Some("floor") => Rounding::Floor,
        _ => Rounding::LargestRemainder,
    };
    let floor = args.integer("floor", 0, 0..=i64::MAX as u64)?;
    let floor_ratio = args.number("floor_ratio", 0.0, 0.0..=1.0)?.into();
    let mut columns = vec![args.column("group", Some("group"))?, args.column("size", Some("size"))?];
    if args.has("weight") {
        columns.push(args.column("weight", None)?);
    }
    let weighted = columns.len() == 3;
    match method {
        Method::Equal if weighted => {
            return plan_err!("{NAME}: `weight` has no meaning with method => 'equal'");
        }
        Method::Equal if rounding == Rounding::Floor => {
            return plan_err!("{NAME}: `rounding` has no meaning with method => 'equal', which deals in whole numbers");
        }
        Method::Projection if !weighted => {
            return plan_err!("{NAME}: method => 'projection' needs `weight => column`");
        }
        _ => {}
    }
    columns.extend(budget_column);
    let call = Call::AllocateBudget(AllocateBudget { budget, method, rounding, floor, floor_ratio });
    plan::call(call, vec![args.input().clone()], vec![columns], vec![])
}
