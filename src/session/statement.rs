//! Plans SQL text, with tables allowed as arguments of relation operators.

use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, Result, plan_datafusion_err};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::sql::parser::{CopyToSource, CopyToStatement, Statement};
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Query, Select, TableFactor, TableFunctionArgs, VisitMut, VisitorMut,
};
use limpid_connectors::sources::functions;
use limpid_udfs::operators::frame::written::{is_relation_argument, table_argument};
use limpid_udfs::operators::is_operator;
use limpid_udfs::register::operators;

use super::copy::target::settle;
use super::provenance::Provenance;
use super::{clauses, depth, recipe};

/// Plans and starts one statement. Use this instead of [`SessionContext::sql`], because it supports `op(table, ...)`.
pub async fn sql(ctx: &SessionContext, sql: &str) -> Result<DataFrame> {
    let state = ctx.state();
    let dialect = state.config().options().sql_parser.dialect;
    let plan = plan(&state, state.sql_to_statement(sql, &dialect)?).await?;
    ctx.execute_logical_plan(plan).await
}

/// Plans a parsed statement.
pub async fn plan(state: &SessionState, statement: Statement) -> Result<LogicalPlan> {
    let mut statement = depth::check(statement)?;
    if let ControlFlow::Break(error) = rewrite(state, &mut statement) {
        return Err(error);
    }
    carry_out(state, &mut statement)?;
    state.statement_to_plan(statement).await
}

/// Rewrites or rejects what DataFusion's planner would ignore.
fn carry_out(state: &SessionState, statement: &mut Statement) -> Result<()> {
    match statement {
        Statement::Statement(statement) => clauses::carry_out(state, statement.as_mut()),
        Statement::CopyTo(CopyToStatement {
            source: CopyToSource::Query(query),
            target: _,
            partitioned_by: _,
            stored_as: _,
            options: _,
        }) => clauses::carry_out(state, query.as_mut()),
        Statement::CreateExternalTable(table) => clauses::create_external_table(table),
        Statement::CopyTo(_) | Statement::Reset(_) => Ok(()),
        Statement::Explain(explain) => carry_out(state, &mut explain.statement),
    }
}

/// Rewrites `op(docs, ...)` as `op((SELECT * FROM docs), ...)`: DataFusion looks tables up before planning and only sees
/// those of a FROM clause.
fn rewrite(state: &SessionState, statement: &mut Statement) -> ControlFlow<DataFusionError> {
    let provenance = Provenance::of(statement);
    let mut relations = Relations { state, provenance: &provenance, calls: &mut 0 };
    match statement {
        Statement::Statement(statement) => statement.visit(&mut relations),
        Statement::CopyTo(copy) => {
            if let Err(error) = settle(copy) {
                return ControlFlow::Break(error);
            }
            match &mut copy.source {
                CopyToSource::Query(query) => query.visit(&mut relations),
                CopyToSource::Relation(_) => ControlFlow::Continue(()),
            }
        }
        Statement::Explain(explain) => rewrite(state, &mut explain.statement),
        Statement::CreateExternalTable(_) | Statement::Reset(_) => ControlFlow::Continue(()),
    }
}

/// The calls of a FROM clause.
struct Relations<'a> {
    state: &'a SessionState,
    provenance: &'a Provenance,
    /// Recipes called so far.
    calls: &'a mut usize,
}

/// The same for the query of a recipe.
pub(super) fn relations(
    state: &SessionState,
    provenance: &Provenance,
    query: &mut Query,
    calls: &mut usize,
) -> ControlFlow<DataFusionError> {
    query.visit(&mut Relations { state, provenance, calls })
}

impl VisitorMut for Relations<'_> {
    type Break = DataFusionError;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<DataFusionError> {
        self.provenance.name_once(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<DataFusionError> {
        match functions::inline(factor, self.provenance.wanted) {
            Ok(true) => return ControlFlow::Continue(()),
            Ok(false) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        let TableFactor::Table { name, args: Some(TableFunctionArgs { args, .. }), .. } = factor else {
            return self.provenance.apply(self.state, factor).map_or_else(ControlFlow::Break, ControlFlow::Continue);
        };
        let lower = name.to_string().to_lowercase();
        if lower == crate::recipes::NAME {
            return recipe::inline(self.state, self.provenance, factor, self.calls);
        }
        let Some(relations) = relation_arguments(&lower) else {
            let known = self.state.table_functions();
            return match name.0.first().map(ToString::to_string) {
                Some(name) if !known.contains_key(&name) && !known.contains_key(&lower) => {
                    let ours = functions::documentation().into_iter().map(|(name, _)| name);
                    ControlFlow::Break(unknown(&lower, known.keys().map(String::as_str).chain(ours)))
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

/// The argument if it is a relation: the leading arguments are, and some named ones.
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

/// Minimum similarity, from 0 to 1, at which one name is suggested for another.
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

/// The number of leading relations that the function takes; `None` if it is not one of limpid's.
fn relation_arguments(name: &str) -> Option<usize> {
    limpid_lakes::sql::relations(name)
        .or_else(|| (is_operator(name) || name == crate::recipes::input::NAME).then_some(1))
}
