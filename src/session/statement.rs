//! From SQL text to a plan, with tables allowed as arguments of relation operators.

use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, Result, plan_datafusion_err};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Query, TableFactor, TableFunctionArgs, VisitMut, VisitorMut,
};
use limpid_udfs::operators::args::{is_relation_argument, table_argument};
use limpid_udfs::operators::planner::is_operator;
use limpid_udfs::register::operators;

use super::recipe;

/// Plans and starts one statement. Use this and not [`SessionContext::sql`]: it knows `op(table, ...)`.
pub async fn sql(ctx: &SessionContext, sql: &str) -> Result<DataFrame> {
    let state = ctx.state();
    let dialect = state.config().options().sql_parser.dialect;
    let plan = plan(&state, state.sql_to_statement(sql, &dialect)?).await?;
    ctx.execute_logical_plan(plan).await
}

/// Plans a parsed statement.
pub async fn plan(state: &SessionState, mut statement: Statement) -> Result<LogicalPlan> {
    match rewrite(state, &mut statement) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => state.statement_to_plan(statement).await,
    }
}

/// Writes `op(docs, ...)` as `op((SELECT * FROM docs), ...)`: DataFusion looks tables up before it plans and sees only
/// those of a FROM clause.
fn rewrite(state: &SessionState, statement: &mut Statement) -> ControlFlow<DataFusionError> {
    let mut relations = Relations { state, calls: &mut 0 };
    match statement {
        Statement::Statement(statement) => statement.visit(&mut relations),
        Statement::CopyTo(copy) => match &mut copy.source {
            CopyToSource::Query(query) => query.visit(&mut relations),
            CopyToSource::Relation(_) => ControlFlow::Continue(()),
        },
        Statement::Explain(explain) => rewrite(state, &mut explain.statement),
        Statement::CreateExternalTable(_) | Statement::Reset(_) => ControlFlow::Continue(()),
    }
}

/// The calls of a FROM clause.
struct Relations<'a> {
    state: &'a SessionState,
    /// Recipes called so far.
    calls: &'a mut usize,
}

/// The same for the query of a recipe.
pub(super) fn relations(state: &SessionState, query: &mut Query, calls: &mut usize) -> ControlFlow<DataFusionError> {
    query.visit(&mut Relations { state, calls })
}

impl VisitorMut for Relations<'_> {
    type Break = DataFusionError;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<DataFusionError> {
        let TableFactor::Table { name, args: Some(TableFunctionArgs { args, .. }), .. } = factor else {
            return ControlFlow::Continue(());
        };
        let lower = name.to_string().to_lowercase();
        if lower == recipe::NAME {
            return recipe::inline(self.state, factor, self.calls);
        }
        let Some(relations) = relation_arguments(&lower) else {
            let known = self.state.table_functions();
            return match name.0.first().map(ToString::to_string) {
                Some(name) if !known.contains_key(&name) && !known.contains_key(&lower) => {
                    ControlFlow::Break(unknown(&lower, known.keys().map(String::as_str)))
                }
                _ => ControlFlow::Continue(()),
            };
        };
        let leading = args.iter().take(relations).filter(|arg| matches!(arg, FunctionArg::Unnamed(_))).count();
        for (at, arg) in args.iter_mut().enumerate() {
            if let Some(relation) = relation(leading == relations && at < leading, arg)
                && let Some(query) = table_argument(relation)
            {
                *relation = query;
            }
        }
        ControlFlow::Continue(())
    }
}

/// The argument where it is a relation: the leading ones, and some by name.
fn relation(is_leading: bool, arg: &mut FunctionArg) -> Option<&mut Expr> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) if is_leading => Some(expr),
        FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), .. } if is_relation_argument(&name.value) => {
            Some(expr)
        }
        FunctionArg::ExprNamed { name: Expr::Identifier(name), arg: FunctionArgExpr::Expr(expr), .. }
            if is_relation_argument(&name.value) =>
        {
            Some(expr)
        }
        _ => None,
    }
}

/// Two names this similar, from 0 to 1, may have been meant for each other.
const ALIKE: f64 = 0.7;

fn unknown<'a>(name: &str, functions: impl Iterator<Item = &'a str>) -> DataFusionError {
    let ours =
        operators().into_iter().chain(limpid_lakes::sql::docs::functions()).chain(crate::recipes::docs::functions());
    let operators: Vec<&str> = ours.map(|operator| operator.name).collect();
    let mut functions: Vec<&str> = functions.collect();
    functions.sort_unstable();
    let likeness = |known: &&str| strsim::normalized_damerau_levenshtein(name, known);
    let nearest = operators.iter().chain(&functions).max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let meant = nearest.filter(|known| likeness(known) >= ALIKE);
    let meant = meant.map_or_else(String::new, |known| format!(" Did you mean {known}?"));
    plan_datafusion_err!(
        "there is no relation operator or table function {name}.{meant} The operators are {}; the table functions are {}.",
        operators.join(", "),
        functions.join(", ")
    )
}

/// How many relations the function of that name takes first; `None` where it is none of ours.
fn relation_arguments(name: &str) -> Option<usize> {
    limpid_lakes::sql::relations(name).or_else(|| is_operator(name).then_some(1))
}
