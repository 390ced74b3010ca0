//! Values of arguments: literals, numbers and words.

use std::fmt::Display;
use std::ops::RangeInclusive;

use datafusion::common::{DFSchema, Result, ScalarValue, plan_datafusion_err, plan_err};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::sql::sqlparser::ast;

/// The literal value of the argument `name`.
///
/// # Errors
/// The argument is not a literal.
pub fn literal(
    op: &str,
    name: &str,
    expr: ast::Expr,
    schema: &DFSchema,
    context: &mut dyn RelationPlannerContext,
) -> Result<ScalarValue> {
    let shown = expr.to_string();
    match context.sql_to_expr(expr, schema)? {
        Expr::Literal(value, _) if !value.is_null() => Ok(value),
        Expr::Negative(inner) => match *inner {
            Expr::Literal(value, _) => value.arithmetic_negate(),
            _ => plan_err!("{op}: `{name}` must be a literal, not `{shown}`"),
        },
        _ => plan_err!("{op}: `{name}` must be a literal, not `{shown}`"),
    }
}

/// Converts `value` to a number.
///
/// # Errors
/// The value is not a number within `allowed`.
pub fn number(op: &str, name: &str, value: &ScalarValue, allowed: &RangeInclusive<f64>) -> Result<f64> {
    let number = match value {
        ScalarValue::Utf8(_) | ScalarValue::Utf8View(_) | ScalarValue::Boolean(_) => None,
        value => value.cast_to(&arrow::datatypes::DataType::Float64).ok().and_then(|v| match v {
            ScalarValue::Float64(v) => v,
            _ => None,
        }),
    };
    within(op, name, number, value, "a number", allowed)
}

/// Converts `value` to an integer.
///
/// # Errors
/// The value is not an integer within `allowed`.
pub fn integer(op: &str, name: &str, value: &ScalarValue, allowed: &RangeInclusive<u64>) -> Result<u64> {
    let number = match *value {
        ScalarValue::Int64(Some(v)) => u64::try_from(v).ok(),
        ScalarValue::UInt64(Some(v)) => Some(v),
        _ => None,
    };
    within(op, name, number, value, "a whole number", allowed)
}

fn within<T: Display + PartialOrd>(
    op: &str,
    name: &str,
    found: Option<T>,
    given: &ScalarValue,
    kind: &str,
    allowed: &RangeInclusive<T>,
) -> Result<T> {
    found.filter(|number| allowed.contains(number)).ok_or_else(|| {
        plan_datafusion_err!("{op}: `{name}` must be {kind} from {} to {}, not {given}", allowed.start(), allowed.end())
    })
}

/// Finds `value` among the `allowed` words.
///
/// # Errors
/// The value is not one of the words.
pub fn word<'w>(op: &str, name: &str, value: &ScalarValue, allowed: &[&'w str]) -> Result<&'w str> {
    match value {
        ScalarValue::Utf8(Some(word)) | ScalarValue::Utf8View(Some(word)) => {
            allowed.iter().find(|allowed| *allowed == word).copied()
        }
        _ => None,
    }
    .ok_or_else(|| plan_datafusion_err!("{op}: `{name}` must be one of '{}', not {value}", allowed.join("', '")))
}
