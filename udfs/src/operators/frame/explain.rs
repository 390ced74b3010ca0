//! Formats a call for EXPLAIN.

use std::fmt;

use serde_json::Value;

use super::operator::AnyOperator;

/// `name: columns=[...], parameter=value, ..., order_by=[...]`.
pub(super) fn explain(
    operator: &AnyOperator,
    columns: &[&str],
    order_by: &[String],
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(f, "{}", operator.name())?;
    let mut parts = vec![];
    if !columns.is_empty() {
        parts.push(format!("columns=[{}]", columns.join(", ")));
    }
    if let Ok(Value::Object(parameters)) = serde_json::from_str(operator.parameters()) {
        for (name, value) in parameters {
            if let Some(value) = shown(&value) {
                parts.push(format!("{name}={value}"));
            }
        }
    }
    if !order_by.is_empty() {
        parts.push(format!("order_by=[{}]", order_by.join(", ")));
    }
    if parts.is_empty() { Ok(()) } else { write!(f, ": {}", parts.join(", ")) }
}

/// Formats a value without the punctuation of JSON; `None` if there is no value.
fn shown(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(value) => value.clone(),
        Value::Array(values) => format!("[{}]", values.iter().filter_map(shown).collect::<Vec<_>>().join(", ")),
        Value::Object(values) => match values.iter().next() {
            // An enum variant with its contents.
            Some((name, value)) if values.len() == 1 => format!("{name}({})", fields(value)),
            _ => format!("({})", fields(value)),
        },
    })
}

/// Formats the parts of a value, without brackets.
fn fields(value: &Value) -> String {
    match value {
        Value::Object(values) => {
            let part = |(name, value): (&String, &Value)| shown(value).map(|value| format!("{name}={value}"));
            values.iter().filter_map(part).collect::<Vec<_>>().join(", ")
        }
        other => shown(other).unwrap_or_default(),
    }
}
