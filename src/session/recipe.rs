//! `FROM recipe('name', relation, argument => value, ...)`: a recipe over a relation, where a table stands.

use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, Result, internal_err, plan_datafusion_err, plan_err};
use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, SetExpr, Statement as SqlStatement, TableFactor, Value,
};
use limpid_udfs::operators::args::table_argument;

use crate::recipes;

/// The SQL name.
pub const NAME: &str = "recipe";

/// Puts the query of the recipe in the place of the call.
pub fn inline(state: &SessionState, factor: &mut TableFactor) -> ControlFlow<DataFusionError> {
    let TableFactor::Table { args: Some(call), alias, .. } = factor else { return ControlFlow::Continue(()) };
    match query(state, &call.args) {
        Err(error) => ControlFlow::Break(error),
        Ok(mut table) => {
            if let TableFactor::Derived { alias: own, .. } = &mut table {
                *own = alias.take();
            }
            *factor = table;
            ControlFlow::Continue(())
        }
    }
}

fn query(state: &SessionState, args: &[FunctionArg]) -> Result<TableFactor> {
    let [
        FunctionArg::Unnamed(FunctionArgExpr::Expr(name)),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(relation)),
        rest @ ..,
    ] = args
    else {
        return plan_err!(
            "{NAME} takes the name of a recipe, a relation, and arguments by name: {NAME}('ccs', docs, fraction => 0.1)"
        );
    };
    let Expr::Value(name) = name else { return plan_err!("the name of a recipe is text in quotes, not `{name}`") };
    let name = match &name.value {
        Value::SingleQuotedString(name) => name,
        other => return plan_err!("the name of a recipe is text in quotes, not `{other}`"),
    };
    let relation = match table_argument(relation).as_ref().unwrap_or(relation) {
        Expr::Subquery(query) => query.to_string(),
        other => return plan_err!("{NAME}: the second argument is a table or `(SELECT ...)`, not `{other}`"),
    };
    let args: Vec<(&str, String)> = rest.iter().map(argument).collect::<Result<_>>()?;
    let args: Vec<(&str, &str)> = args.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let sql = recipes::expand(name, &args, "id", Some("text")).map_err(|error| plan_datafusion_err!("{error}"))?;
    let sql = format!("SELECT * FROM (WITH input AS ({relation}) SELECT * FROM ({sql}))");
    let dialect = state.config().options().sql_parser.dialect;
    let Statement::Statement(statement) = state.sql_to_statement(&sql, &dialect)? else {
        return internal_err!("recipe `{name}` is no query");
    };
    let SqlStatement::Query(query) = *statement else { return internal_err!("recipe `{name}` is no query") };
    match *query.body {
        SetExpr::Select(mut select) if select.from.len() == 1 => Ok(select.from.remove(0).relation),
        _ => internal_err!("recipe `{name}` is no query"),
    }
}

/// The name and value of an argument: a column, a number or text.
fn argument(arg: &FunctionArg) -> Result<(&str, String)> {
    let (name, value) = match arg {
        FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), .. }
        | FunctionArg::ExprNamed { name: Expr::Identifier(name), arg: FunctionArgExpr::Expr(value), .. } => {
            (name, value)
        }
        other => return plan_err!("{NAME}: arguments are given by name, as in fraction => 0.1, not `{other}`"),
    };
    let text = match value {
        Expr::Identifier(column) => column.value.clone(),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => text.clone(),
            other => other.to_string(),
        },
        Expr::UnaryOp { .. } => value.to_string(),
        other => return plan_err!("{NAME}: `{name}` is a column, a number or text in quotes, not `{other}`"),
    };
    Ok((&name.value, text))
}
