//! `FROM recipe('name', relation, argument => value, ...)`: a recipe over a relation, where a table stands.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, Result, internal_err, plan_datafusion_err, plan_err};
use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, ObjectName, ObjectNamePart, Query, Statement as SqlStatement, TableAlias,
    TableFactor, Value, VisitMut, VisitorMut,
};
use limpid_udfs::operators::frame::written::table_argument;

use super::clauses::meant;
use super::provenance::Provenance;
use super::statement::relations;
use crate::recipes::{self, NAME};

/// Replaces the call by the query of the recipe. `calls` counts the recipes in the statement so far.
pub fn inline(
    state: &SessionState,
    provenance: &Provenance,
    factor: &mut TableFactor,
    calls: &mut usize,
) -> ControlFlow<DataFusionError> {
    let TableFactor::Table { args: Some(call), alias, .. } = factor else { return ControlFlow::Continue(()) };
    match query(state, provenance, &call.args, calls) {
        Err(error) => ControlFlow::Break(error),
        Ok(subquery) => {
            *factor = TableFactor::Derived {
                lateral: false,
                subquery: Box::new(subquery),
                alias: alias.take(),
                sample: None,
            };
            ControlFlow::Continue(())
        }
    }
}

fn query(state: &SessionState, provenance: &Provenance, args: &[FunctionArg], calls: &mut usize) -> Result<Query> {
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
    *calls += 1;
    let number = *calls;
    let call =
        recipes::Call { name, args: &args, id: "id", text: Some("text"), input: &relation, checked: true, number };
    let sql = call.sql().map_err(|error| plan_datafusion_err!("{error}"))?;
    let mut recipe = parse(state, name, &sql)?;
    if let ControlFlow::Break(error) = relations(state, provenance, &mut recipe, calls) {
        return Err(error);
    }
    rename(&mut recipe, &format!("{NAME}_{number}_"));
    Ok(recipe)
}

fn parse(state: &SessionState, name: &str, sql: &str) -> Result<Query> {
    let dialect = state.config().options().sql_parser.dialect;
    match state.sql_to_statement(sql, &dialect)? {
        Statement::Statement(statement) => match *statement {
            SqlStatement::Query(query) => Ok(*query),
            _ => internal_err!("recipe `{name}` is no query"),
        },
        _ => internal_err!("recipe `{name}` is no query"),
    }
}

/// Prefixes the names in WITH, to keep them apart from those of the outer query: SQL does not let one name hide another.
fn rename(query: &mut Query, prefix: &str) {
    let mut names = Names { known: HashMap::new() };
    let mut with = query.with.take();
    for table in with.iter_mut().flat_map(|with| &mut with.cte_tables) {
        let _ = table.query.visit(&mut names);
        let own = &mut table.alias.name;
        let new = format!("{prefix}{}", own.value);
        names.known.insert(meant(own), new.clone());
        own.value = new;
    }
    let _ = query.visit(&mut names);
    query.with = with;
}

struct Names {
    known: HashMap<String, String>,
}

impl VisitorMut for Names {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::Table { name: ObjectName(name), alias, args: None, .. } = factor else {
            return ControlFlow::Continue(());
        };
        if let [ObjectNamePart::Identifier(own)] = name.as_mut_slice()
            && let Some(new) = self.known.get(&meant(own))
        {
            let old = own.clone();
            own.value.clone_from(new);
            // Columns go on being called by the old name.
            alias.get_or_insert_with(|| TableAlias { explicit: true, name: old, columns: vec![], at: None });
        }
        ControlFlow::Continue(())
    }
}

/// The name and value of an argument: a column, a number, text or a query.
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
        Expr::Subquery(query) => query.to_string(),
        other => {
            return plan_err!("{NAME}: `{name}` is a column, a number, text in quotes or (SELECT ...), not `{other}`");
        }
    };
    Ok((&name.value, text))
}
