//! Limits nesting. Code that walks over syntax and plans recurses once per level, and the stack is finite.

use std::ops::ControlFlow;

use datafusion::common::{Result, plan_err};
use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{Expr, Query, SetExpr, Visit, Visitor};

/// Maximum depth of an expression or a chain of UNIONs. `a + b + c` has two levels: the parser nests operands without limit.
const MAX_LEVELS: usize = 1000;

/// Returns the statement unless it is nested too deeply.
///
/// # Errors
/// It is too deep. The statement is then leaked, because dropping it would need an equally deep stack.
pub fn check(statement: Statement) -> Result<Statement> {
    if is_shallow(&statement) {
        return Ok(statement);
    }
    std::mem::forget(statement);
    plan_err!(
        "the statement is nested too deeply: an expression or UNION has at most {MAX_LEVELS} terms in a row; write many values as \
         x IN (a, b, ...) or as a table, and many parts of a UNION as several tables"
    )
}

fn is_shallow(statement: &Statement) -> bool {
    let mut levels = Levels { expressions: 0 };
    let walked = match statement {
        Statement::Statement(statement) => statement.visit(&mut levels),
        Statement::CopyTo(copy) => match &copy.source {
            CopyToSource::Query(query) => query.visit(&mut levels),
            CopyToSource::Relation(_) => ControlFlow::Continue(()),
        },
        Statement::Explain(explain) => return is_shallow(&explain.statement),
        Statement::CreateExternalTable(_) | Statement::Reset(_) => ControlFlow::Continue(()),
    };
    walked.is_continue()
}

struct Levels {
    expressions: usize,
}

impl Visitor for Levels {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        // The walk itself would go down the chain before it is asked.
        let mut open = vec![(query.body.as_ref(), 0)];
        while let Some((body, level)) = open.pop() {
            if level > MAX_LEVELS {
                return ControlFlow::Break(());
            }
            if let SetExpr::SetOperation { left, right, .. } = body {
                open.extend([(left.as_ref(), level + 1), (right.as_ref(), level + 1)]);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.expressions += 1;
        if self.expressions > MAX_LEVELS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.expressions -= 1;
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use crate::session::{EngineOptions, context, statement};

    #[tokio::test(flavor = "multi_thread")]
    async fn deep_statements_are_errors() {
        let ctx = context(&EngineOptions::default()).unwrap();
        let n = 10_000;
        for sql in [
            format!("SELECT {}1{}", "(".repeat(n), ")".repeat(n)),
            format!("SELECT {}", vec!["1"; n].join(" + ")),
            format!("SELECT {}1", "- ".repeat(n)),
            format!("SELECT {}true", "NOT ".repeat(n)),
            format!("SELECT {}", vec!["1"; n].join(" UNION ALL SELECT ")),
            format!("SELECT 1 WHERE {}", vec!["1 = 1"; n].join(" AND ")),
            format!("SELECT {}1{}", "abs(".repeat(n), ")".repeat(n)),
            format!("SELECT {}1{}", "[".repeat(n), "]".repeat(n)),
            format!("SELECT '1'{}", "::text".repeat(n)),
            format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(n), " END".repeat(n)),
            format!("SELECT * FROM {}(SELECT 1){}", "(SELECT * FROM ".repeat(n), ")".repeat(n)),
            format!("SELECT count(*) FROM exact_dedup((SELECT {} AS id), text => id)", vec!["1"; n].join(" + ")),
            format!("COPY (SELECT {}) TO 'never.csv'", vec!["1"; n].join(" + ")),
            format!("EXPLAIN SELECT {}", vec!["1"; n].join(" + ")),
        ] {
            let error = match statement::sql(&ctx, &sql).await {
                Ok(frame) => frame.collect().await.map(|_| ()),
                Err(error) => Err(error),
            };
            assert!(error.is_err(), "{}", &sql[..60]);
        }
        let many = format!("SELECT 1 WHERE 1 IN ({})", vec!["1"; n].join(", "));
        statement::sql(&ctx, &many).await.unwrap().collect().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_allowed_runs() {
        let ctx = context(&EngineOptions::default()).unwrap();
        for sql in [
            format!("SELECT {} FROM generate_series(1, 2)", vec!["value"; 200].join(" + ")),
            format!("SELECT 1 WHERE {}", vec!["1 = 1"; 900].join(" AND ")),
            format!("SELECT {}", vec!["1"; 300].join(" UNION ALL SELECT ")),
        ] {
            statement::sql(&ctx, &sql).await.unwrap().collect().await.unwrap();
        }
    }
}
