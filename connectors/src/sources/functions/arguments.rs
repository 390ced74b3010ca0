//! The arguments of a table function: paths first, then options by name.

use datafusion::common::{Result, plan_err};
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, UnaryOperator, Value,
};

use crate::sources::files::SourceSpec;
use crate::sources::formats::FORMATS;
use crate::sources::function::{Gives, TableFunction};

/// Converts a call to a source specification.
pub(super) fn spec(function: TableFunction, args: Vec<FunctionArg>, provenance: bool) -> Result<SourceSpec> {
    let name = function.name;
    let has_provenance = function.gives == Gives::Rows;
    let mut spec =
        SourceSpec { format: function.format, provenance: provenance && has_provenance, ..SourceSpec::default() };
    for arg in args {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) if spec.paths.is_empty() => {
                spec.paths = texts(name, "the path", &expr)?;
                if spec.paths.is_empty() {
                    return plan_err!("{name}: the list of paths is empty");
                }
            }
            FunctionArg::Unnamed(arg) => {
                return plan_err!(
                    "{name}: options are given by name, not `{arg}`; several paths are a list: {name}(['a', 'b']); options are {}",
                    function.known().join(", ")
                );
            }
            FunctionArg::Named { name: option, arg: FunctionArgExpr::Expr(expr), .. }
            | FunctionArg::ExprNamed { name: Expr::Identifier(option), arg: FunctionArgExpr::Expr(expr), .. } => {
                set(function, &mut spec, &option, &expr)?;
            }
            other => return plan_err!("{name}: `{other}` is no option; write name => value"),
        }
    }
    if spec.paths.is_empty() {
        return plan_err!("{name} needs a path first: {name}('folder/*.csv'), or a list of them");
    }
    if function.gives == Gives::Rejects {
        spec.options.insert("rejects".to_owned(), "true".to_owned());
    }
    Ok(spec)
}

fn set(function: TableFunction, spec: &mut SourceSpec, option: &Ident, expr: &Expr) -> Result<()> {
    let name = function.name;
    let option = if option.quote_style.is_some() { option.value.clone() } else { option.value.to_lowercase() };
    let (known, others) = (function.known(), function.others);
    if !known.contains(&option.as_str()) && !others.contains(&option.as_str()) {
        return plan_err!("{name} has no option {option}: there are {}", known.join(", "));
    }
    match (option.as_str(), function.gives) {
        ("exclude", _) => spec.exclude = texts(name, &option, expr)?,
        ("partitions", _) => spec.partitions = Some(texts(name, &option, expr)?),
        ("provenance", _) => match text(expr).as_deref() {
            Some("true") => spec.provenance = true,
            Some("false") => spec.provenance = false,
            _ => return plan_err!("{name}: provenance must be true or false, not {expr}"),
        },
        ("format", Gives::Rejects) => {
            let word = text(expr).unwrap_or_default().to_lowercase();
            // Formats whose records can be rejected.
            let format = FORMATS.of_word(&word).filter(|format| format.info().compressed);
            let Some(format) = format else {
                return plan_err!("{name}: format must be 'csv', 'tsv' or 'json', not {expr}");
            };
            spec.format = Some(format);
        }
        _ => {
            let value = columns(expr).or_else(|| text(expr));
            let Some(value) = value else {
                return plan_err!("{name}: {option} must be text, a number, true or false, not `{expr}`");
            };
            if spec.options.insert(option.clone(), value).is_some() {
                return plan_err!("{name}: the option {option} is given twice");
            }
        }
    }
    Ok(())
}

/// The text of a literal, in the form that options take.
fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Boolean(value) => Some(value.to_string()),
            Value::Number(number, _) => Some(number.clone()),
            Value::Null => None,
            other => other.clone().into_string(),
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => text(expr).map(|number| format!("-{number}")),
        Expr::Nested(inner) => text(inner),
        _ => None,
    }
}

/// Converts `{'id': 'BIGINT', 'text': 'VARCHAR'}` to a list of columns.
fn columns(expr: &Expr) -> Option<String> {
    let Expr::Dictionary(fields) = expr else { return None };
    let columns = fields
        .iter()
        .map(|field| Some(format!("\"{}\" {}", field.key.value.replace('"', "\"\""), text(&field.value)?)));
    columns.collect::<Option<Vec<_>>>().map(|columns| columns.join(", "))
}

/// One text or a list of texts.
fn texts(name: &str, what: &str, expr: &Expr) -> Result<Vec<String>> {
    let items: Vec<&Expr> = match expr {
        Expr::Array(list) => list.elem.iter().collect(),
        Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case("make_array") => match &call.args {
            FunctionArguments::List(list) => {
                let items = list.args.iter().map(|arg| match arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
                    _ => None,
                });
                items.collect::<Option<_>>().unwrap_or_default()
            }
            _ => Vec::new(),
        },
        one => vec![one],
    };
    let quoted = |expr: &&Expr| match expr {
        Expr::Value(value) => value.value.clone().into_string(),
        _ => None,
    };
    match items.iter().map(quoted).collect::<Option<Vec<_>>>() {
        Some(texts) => Ok(texts),
        None => plan_err!("{name}: {what} must be text in quotes, or a list such as ['a', 'b'], not `{expr}`"),
    }
}
