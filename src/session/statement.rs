//! From SQL text to a plan, with tables allowed as arguments of relation operators.

use std::ops::ControlFlow;

use datafusion::common::Result;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{
    FunctionArg, FunctionArgExpr, TableFactor, TableFunctionArgs, VisitMut, VisitorMut,
};
use limpid_udfs::operators::args::table_argument;
use limpid_udfs::operators::planner::is_operator;

/// Plans and starts one statement. Use this and not [`SessionContext::sql`]: it knows `op(table, ...)`.
pub async fn sql(ctx: &SessionContext, sql: &str) -> Result<DataFrame> {
    let state = ctx.state();
    let dialect = state.config().options().sql_parser.dialect;
    let plan = plan(&state, state.sql_to_statement(sql, &dialect)?).await?;
    ctx.execute_logical_plan(plan).await
}

/// Plans a parsed statement.
pub async fn plan(state: &SessionState, mut statement: Statement) -> Result<LogicalPlan> {
    rewrite(&mut statement);
    state.statement_to_plan(statement).await
}

/// Writes `op(docs, ...)` as `op((SELECT * FROM docs), ...)`: DataFusion looks tables up before it plans and sees only
/// those of a FROM clause.
fn rewrite(statement: &mut Statement) {
    let _ = match statement {
        Statement::Statement(statement) => statement.visit(&mut TableArguments),
        Statement::CopyTo(copy) => match &mut copy.source {
            CopyToSource::Query(query) => query.visit(&mut TableArguments),
            CopyToSource::Relation(_) => ControlFlow::Continue(()),
        },
        Statement::Explain(explain) => {
            rewrite(&mut explain.statement);
            ControlFlow::Continue(())
        }
        Statement::CreateExternalTable(_) | Statement::Reset(_) => ControlFlow::Continue(()),
    };
}

struct TableArguments;

impl VisitorMut for TableArguments {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: Some(TableFunctionArgs { args, .. }), .. } = factor
            && is_operator(&name.to_string().to_lowercase())
            && let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(first))) = args.first_mut()
            && let Some(query) = table_argument(first)
        {
            *first = query;
        }
        ControlFlow::Continue(())
    }
}
