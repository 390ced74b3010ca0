//! Short headings: a column without AS is called as the user wrote it, not as the plan prints it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Ident, ObjectNamePart, Select, SelectItem, VisitMut, VisitorMut};

use super::meant;

/// Names every computed column of a SELECT that has no alias: `count(*)`, `a + 1`. Names of tables are left out where the
/// headings differ without them.
pub fn name(select: &mut Select) {
    let short: Vec<Option<String>> = select.projection.iter().map(|item| heading(item, false)).collect();
    for at in 0..short.len() {
        let Some(name) = &short[at] else { continue };
        let is_shared = short.iter().enumerate().any(|(other, taken)| other != at && taken.as_ref() == Some(name));
        let full = if is_shared { heading(&select.projection[at], true) } else { None };
        let item = &mut select.projection[at];
        if let SelectItem::UnnamedExpr(expr) = item
            && column(expr).is_none()
            && !is_unnest(expr)
        {
            let alias = Ident::with_quote('"', full.unwrap_or_else(|| name.clone()));
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
}

/// What a column is called; `None` where that is known to the planner alone. With `exact`, the whole expression.
fn heading(item: &SelectItem, exact: bool) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(meant(alias)),
        SelectItem::UnnamedExpr(expr) => match column(expr) {
            Some(name) => Some(meant(name)),
            None => {
                let mut expr = expr.clone();
                let _ = expr.visit(&mut Shorten { tables: exact });
                Some(expr.to_string())
            }
        },
        _ => None,
    }
}

/// A column itself, be it in parentheses.
fn column(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(names) => names.last(),
        Expr::Nested(expr) => column(expr),
        _ => None,
    }
}

/// A struct that is unnested becomes several columns, which one alias cannot name.
fn is_unnest(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(call) if call.name.to_string().to_lowercase().starts_with("unnest"))
}

/// Takes the names of tables out of an expression, unless `tables` keeps them, and writes names in lower case.
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
