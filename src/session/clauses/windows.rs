//! `WINDOW w AS (...)`. DataFusion knows such names in the select list only; elsewhere it reads `f(x) OVER w` as `f(x)`.

use std::ops::ControlFlow;

use datafusion::common::{Result, plan_err};
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, NamedWindowDefinition, NamedWindowExpr, Query, Select, SetExpr, VisitMut, VisitorMut, WindowSpec,
    WindowType,
};

use super::refuse::{meant, refuse};

/// Replaces every named window by its definition. Subqueries must be processed first.
pub fn in_select(select: &mut Select) -> Result<()> {
    let windows = defined(&select.named_window)?;
    spell_out(select, &windows)
}

/// The same for the ORDER BY after a SELECT.
pub fn in_order(query: &mut Query) -> Result<()> {
    let windows = match query.body.as_ref() {
        SetExpr::Select(select) => defined(&select.named_window)?,
        _ => vec![],
    };
    spell_out(&mut query.order_by, &windows)
}

fn spell_out(node: &mut impl VisitMut, windows: &[(Ident, WindowSpec)]) -> Result<()> {
    match node.visit(&mut Uses { windows }) {
        ControlFlow::Break(error) => error,
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn defined(named: &[NamedWindowDefinition]) -> Result<Vec<(Ident, WindowSpec)>> {
    let mut windows: Vec<(Ident, WindowSpec)> = vec![];
    for NamedWindowDefinition(name, definition) in named {
        if windows.iter().any(|(known, _)| same(known, name)) {
            return plan_err!("the window {name} is defined twice");
        }
        match definition {
            NamedWindowExpr::WindowSpec(spec) => windows.push((name.clone(), spec.clone())),
            NamedWindowExpr::NamedWindow(other) => match windows.iter().find(|(known, _)| same(known, other)) {
                Some((_, spec)) => windows.push((name.clone(), spec.clone())),
                None => return plan_err!("the window {other} is not defined before {name}"),
            },
        }
    }
    match windows.iter().find(|(_, spec)| spec.window_name.is_some()) {
        Some((name, _)) => {
            refuse(&format!("The window {name}, which builds on another"), "write out its PARTITION BY and ORDER BY")
        }
        None => Ok(windows),
    }
}

fn same(a: &Ident, b: &Ident) -> bool {
    meant(a) == meant(b)
}

struct Uses<'a> {
    windows: &'a [(Ident, WindowSpec)],
}

impl VisitorMut for Uses<'_> {
    type Break = Result<()>;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Result<()>> {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        if let Some(WindowType::NamedWindow(name)) = &function.over {
            match self.windows.iter().find(|(known, _)| same(known, name)) {
                Some((_, spec)) => function.over = Some(WindowType::WindowSpec(spec.clone())),
                None => {
                    return ControlFlow::Break(plan_err!(
                        "the window {name} is not defined; define it with WINDOW {name} AS (...)"
                    ));
                }
            }
        }
        ControlFlow::Continue(())
    }
}
