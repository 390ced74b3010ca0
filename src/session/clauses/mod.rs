//! Ensures that SQL which parses is either executed or rejected.
//!
//! The parser accepts the clauses of many databases, and DataFusion's planner ignores those it does not know. Every statement
//! passes through this module before planning. What can be expressed in DataFusion's SQL is rewritten; the rest is an error
//! that names the clause. Syntax nodes are destructured without `..`, so that a field added by a new parser version does not
//! compile until its treatment is decided.

mod function;
mod headings;
mod query;
mod refuse;
mod relation;
mod select;
mod statement;
mod synonyms;
mod windows;

use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::session_state::SessionState;
use datafusion::sql::sqlparser::ast::{Expr, Query, Select, Statement, TableFactor, VisitMut, VisitorMut};

pub use refuse::meant;
pub use statement::create_external_table;

/// Rewrites the clauses of `node` that DataFusion does not know.
///
/// # Errors
/// A clause cannot be rewritten.
pub fn carry_out(state: &SessionState, node: &mut impl VisitMut) -> Result<()> {
    match node.visit(&mut Clauses { state }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Clauses<'a> {
    state: &'a SessionState,
}

fn flow(checked: Result<()>) -> ControlFlow<DataFusionError> {
    match checked {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

impl VisitorMut for Clauses<'_> {
    type Break = DataFusionError;

    fn pre_visit_statement(&mut self, statement: &mut Statement) -> ControlFlow<DataFusionError> {
        flow(statement::check(statement))
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<DataFusionError> {
        flow(query::rewrite(query))
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<DataFusionError> {
        flow(windows::in_order(query))
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<DataFusionError> {
        headings::name(select);
        flow(select::rewrite(select))
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<DataFusionError> {
        flow(windows::in_select(select))
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<DataFusionError> {
        relation::plain_unnest(factor);
        flow(relation::check(factor))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DataFusionError> {
        synonyms::rename(self.state, expr);
        flow(function::check(self.state, expr))
    }
}
