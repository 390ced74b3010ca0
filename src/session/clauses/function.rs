//! Checks clauses of function calls other than the arguments.

use datafusion::common::{Result, plan_err};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArgumentClause, FunctionArgumentList, FunctionArguments, WindowSpec,
    WindowType,
};

use super::query::order;
use super::refuse::{refuse, refuse_if};

/// Checks the call that `expr` is.
pub fn check(state: &SessionState, expr: &Expr) -> Result<()> {
    let Expr::Function(call) = expr else { return Ok(()) };
    let Function { name, uses_odbc_syntax: _, parameters, args, filter, null_treatment, over, within_group } = call;
    refuse_if(
        !matches!(parameters, FunctionArguments::None),
        &format!("A list of parameters before the arguments of {name}"),
        "give all arguments in one list",
    )?;
    let list = match args {
        FunctionArguments::None => None,
        FunctionArguments::Subquery(_) => {
            return refuse(&format!("A query as the argument of {name}"), "put it in parentheses of its own");
        }
        FunctionArguments::List(list) => Some(list),
    };
    let mut given = Given { distinct: false, ordered: false, nulls: null_treatment.is_some() };
    if let Some(FunctionArgumentList { duplicate_treatment, args: _, clauses }) = list {
        given.distinct = matches!(duplicate_treatment, Some(DuplicateTreatment::Distinct));
        for clause in clauses {
            match clause {
                FunctionArgumentClause::IgnoreOrRespectNulls(_) => given.nulls = true,
                FunctionArgumentClause::OrderBy(list) => {
                    given.ordered = true;
                    list.iter().try_for_each(order)?;
                }
                FunctionArgumentClause::Limit(_)
                | FunctionArgumentClause::OnOverflow(_)
                | FunctionArgumentClause::Having(_)
                | FunctionArgumentClause::Separator(_)
                | FunctionArgumentClause::JsonNullClause(_)
                | FunctionArgumentClause::JsonReturningClause(_) => {
                    return refuse(&format!("{clause} in the arguments of {name}"), "leave it out");
                }
            }
        }
    }
    if let Some(WindowType::WindowSpec(WindowSpec { window_name, partition_by: _, order_by, window_frame: _ })) = over {
        refuse_if(
            window_name.is_some(),
            "OVER with the name of a window and more",
            "write out its PARTITION BY and ORDER BY",
        )?;
        order_by.iter().try_for_each(order)?;
    }
    within_group.iter().try_for_each(order)?;
    let word = name.to_string().to_lowercase();
    if is_scalar(state, &word) {
        let rows = "it takes one row at a time, not a group of rows";
        refuse_if(over.is_some(), &format!("OVER after {name}"), rows)?;
        refuse_if(filter.is_some(), &format!("FILTER after {name}"), rows)?;
        refuse_if(!within_group.is_empty(), &format!("WITHIN GROUP after {name}"), rows)?;
        refuse_if(given.distinct, &format!("DISTINCT in {name}"), rows)?;
        refuse_if(given.ordered, &format!("ORDER BY in {name}"), rows)?;
        return refuse_if(given.nulls, &format!("IGNORE NULLS or RESPECT NULLS in {name}"), rows);
    }
    if let Ok(function) = state.udaf(&word) {
        refuse_if(
            given.distinct && !TAKE_DISTINCT.contains(&function.name()),
            &format!("DISTINCT in {name}"),
            "write SELECT DISTINCT in an inner query",
        )?;
        // DataFusion checks those without OVER.
        return refuse_if(
            over.is_some() && given.nulls && !function.supports_null_handling_clause(),
            &format!("IGNORE NULLS or RESPECT NULLS in {name}"),
            "it always leaves out NULL",
        );
    }
    if over.is_none() {
        return match state.udwf(&word) {
            Ok(_) => plan_err!("{name} is a window function: write {name}(...) OVER (ORDER BY ...)"),
            Err(_) => Ok(()),
        };
    }
    if state.udwf(&word).is_ok() {
        refuse_if(given.distinct, &format!("DISTINCT in {name}"), "it counts every row of the window")?;
        refuse_if(filter.is_some(), &format!("FILTER after {name}"), "write a WHERE in an inner SELECT")?;
        refuse_if(
            given.nulls && !TREAT_NULLS.contains(&word.as_str()),
            &format!("IGNORE NULLS or RESPECT NULLS in {name}"),
            "it counts every row of the window",
        )?;
    }
    Ok(())
}

/// Aggregates that implement DISTINCT, or reject it themselves. All others ignore it.
const TAKE_DISTINCT: [&str; 28] = [
    "any_value",
    "approx_distinct",
    "approx_median",
    "approx_percentile_cont_with_weight",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "count",
    "first_value",
    "gaussian_moments",
    "last_value",
    "max",
    "median",
    "min",
    "percentile_cont",
    "quantile_cont",
    "stddev",
    "stddev_pop",
    "string_agg",
    "sum",
    "var",
    "var_pop",
    "var_samp",
    "vec_avg",
];

/// Window functions that implement IGNORE NULLS.
const TREAT_NULLS: [&str; 5] = ["first_value", "last_value", "nth_value", "lag", "lead"];

struct Given {
    distinct: bool,
    ordered: bool,
    nulls: bool,
}

fn is_scalar(state: &SessionState, name: &str) -> bool {
    // The planner looks for scalar functions first.
    state.udf(name).is_ok()
        || state.higher_order_functions().contains_key(name)
        || ["unnest", "unnest_outer", "make_map", "map"].contains(&name)
}
