//! Short column headings: a column without AS is named as the user wrote it, not as the plan prints it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Ident, ObjectNamePart, Select, SelectItem, VisitMut, VisitorMut};

use super::refuse::meant;

/// Names every computed column of a SELECT that has no alias: `count(*)`, `a + 1`. Table names are omitted if the headings
/// remain distinct without them. Repeated expressions are numbered: `count(*)_1`.
pub fn name(select: &mut Select) {
    let short: Vec<Option<String>> = select.projection.iter().map(heading).collect();
    let mut written: Vec<String> = Vec::new();
    for at in 0..short.len() {
        let (Some(name), SelectItem::UnnamedExpr(expr)) = (&short[at], &select.projection[at]) else { continue };
        if is_unnest(expr) {
            continue;
        }
        let exact = shortened(expr, true);
        let again = written.iter().filter(|before| **before == exact).count();
        let is_shared = short.iter().enumerate().any(|(other, taken)| other != at && taken.as_ref() == Some(name));
        let own = if is_shared && column(expr).is_none() { &exact } else { name };
        let heading = match (column(expr), again) {
            (None, 0) => Some(own.clone()),
            (Some(_), 0) => None,
            _ => Some(free(&format!("{own}_{again}"), &short)),
        };
        written.push(exact);
        if let Some(heading) = heading {
            let alias = Ident::with_quote('"', heading);
            select.projection[at] = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
}

/// Returns `name`, extended by `_` until no other heading is equal.
fn free(name: &str, headings: &[Option<String>]) -> String {
    let mut name = name.to_owned();
    while headings.iter().flatten().any(|other| *other == name) {
        name.push('_');
    }
    name
}

/// The heading of a column; `None` if only the planner knows it.
fn heading(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(meant(alias)),
        SelectItem::UnnamedExpr(expr) => Some(column(expr).map_or_else(|| shortened(expr, false), meant)),
        _ => None,
    }
}

/// An expression as a heading, with the names of tables if `tables`.
fn shortened(expr: &Expr, tables: bool) -> String {
    let mut expr = expr.clone();
    let _ = expr.visit(&mut Shorten { tables });
    expr.to_string()
}

/// The column, if the expression is a plain column, possibly in parentheses.
fn column(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(names) => names.last(),
        Expr::Nested(expr) => column(expr),
        _ => None,
    }
}

/// Unnesting a struct gives several columns, which a single alias cannot name.
fn is_unnest(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(call) if call.name.to_string().to_lowercase().starts_with("unnest"))
}

/// Removes table names from an expression, unless `tables` keeps them, and writes names in lower case.
struct Shorten {
    tables: bool,
}

impl VisitorMut for Shorten {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let lower = |name: &mut Ident| name.value = meant(name);
        match expr {
            Expr::Identifier(name) => lower(name),
            Expr::CompoundIdentifier(names) => {
                names.iter_mut().for_each(lower);
                if !self.tables
                    && let Some(name) = names.pop()
                {
                    *expr = Expr::Identifier(name);
                }
            }
            Expr::Function(call) => {
                for part in &mut call.name.0 {
                    if let ObjectNamePart::Identifier(name) = part {
                        lower(name);
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
