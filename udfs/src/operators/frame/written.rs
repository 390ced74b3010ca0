//! Arguments as written in SQL, positional and named, before interpretation.

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::sql::sqlparser::ast::{
    self, FunctionArg, FunctionArgExpr, TableAlias, TableFactor, TableFunctionArgs, Value,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// Lists the argument names of an operator for an error message.
pub(super) fn taken(known: &[&str]) -> String {
    if known.is_empty() { "the relation alone".to_owned() } else { known.join(", ") }
}

/// Arguments as they were written.
pub struct Written {
    /// Positional arguments, in order.
    pub unnamed: Vec<ast::Expr>,
    /// Named arguments.
    pub named: Vec<(String, ast::Expr)>,
}

/// Splits the arguments of `op`. `known` are the accepted names, and `earlier` the former ones.
///
/// # Errors
/// A name is unknown or occurs twice.
pub fn written(
    op: &str,
    known: &[&str],
    earlier: &[(&str, &str)],
    args: TableFunctionArgs,
    context: &mut dyn RelationPlannerContext,
) -> Result<Written> {
    let mut all = Written { unnamed: vec![], named: vec![] };
    for arg in args.args {
        let (name, arg) = match arg {
            FunctionArg::Unnamed(arg) => (None, arg),
            FunctionArg::Named { name, arg, .. } => (Some(context.normalize_ident(name)), arg),
            FunctionArg::ExprNamed { name: ast::Expr::Identifier(name), arg, .. } => {
                (Some(context.normalize_ident(name)), arg)
            }
            FunctionArg::ExprNamed { name, .. } => {
                return plan_err!("{op}: an argument's name must be a plain word, not `{name}`");
            }
        };
        let FunctionArgExpr::Expr(expr) = arg else {
            return plan_err!("{op}: `*` is not an argument; write (SELECT ...) or name => value");
        };
        let name = name.map(|name| match earlier.iter().find(|(earlier, _)| *earlier == name) {
            Some((earlier, today)) => {
                warn_of_earlier(op, earlier, today);
                (*today).to_owned()
            }
            None => name,
        });
        match name {
            None => all.unnamed.push(expr),
            Some(name) if !known.contains(&name.as_str()) => {
                return plan_err!("{op} has no argument `{name}`; it takes {}", taken(known));
            }
            Some(name) if all.named.iter().any(|(n, _)| *n == name) => {
                return plan_err!("{op}: argument `{name}` is given twice");
            }
            Some(name) => all.named.push((name, expr)),
        }
    }
    Ok(all)
}

/// Converts the first argument to something that the planner can plan: a subquery or the name of a table.
pub(super) fn relation(op: &str, expr: ast::Expr) -> Result<TableFactor> {
    match expr {
        ast::Expr::Subquery(subquery) => {
            let alias: Option<TableAlias> = None;
            Ok(TableFactor::Derived { lateral: false, subquery, alias, sample: None })
        }
        ast::Expr::Nested(inner) => relation(op, *inner),
        other => plan_err!("{op}: the first argument must be a relation, (SELECT ...) or a table, not `{other}`"),
    }
}

/// Whether an argument of that name takes a relation, so that the name of a table stands for its rows.
pub fn is_relation_argument(name: &str) -> bool {
    ["centroids", "among"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Builds the query `SELECT * FROM name` for an argument that is the name of a table or a quoted path; `None` for other
/// expressions.
///
/// The session looks up tables before planning and does not see those named as arguments. Statements are therefore rewritten
/// with this function before they are planned.
pub fn table_argument(expr: &ast::Expr) -> Option<ast::Expr> {
    let name = match expr {
        ast::Expr::Identifier(name) => ast::ObjectName::from(vec![name.clone()]),
        ast::Expr::CompoundIdentifier(names) => ast::ObjectName::from(names.clone()),
        ast::Expr::Value(ast::ValueWithSpan { value: Value::SingleQuotedString(path), .. }) => {
            ast::ObjectName::from(vec![ast::Ident::with_quote('"', path.clone())])
        }
        _ => return None,
    };
    let sql = format!("(SELECT * FROM {name})");
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(&sql).ok()?;
    parser.parse_expr().ok()
}

/// Warns that `who` is called with a name that it has changed.
pub fn warn_of_earlier(who: &str, earlier: &str, today: &str) {
    log::warn!("{who}: `{earlier}` is called `{today}` now; the earlier name goes with the next release");
}
