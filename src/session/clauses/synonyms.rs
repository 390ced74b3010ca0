//! Synonyms that other databases use for functions of DataFusion.

use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::sql::sqlparser::ast::{Expr, Ident, ObjectNamePart};

/// Pairs of a function's name in DuckDB or polars and in DataFusion.
pub const SYNONYMS: [(&str, &str); 11] = [
    ("approx_count_distinct", "approx_distinct"),
    ("lcase", "lower"),
    ("len", "length"),
    ("list", "array_agg"),
    ("list_value", "make_array"),
    ("mean", "avg"),
    ("prefix", "starts_with"),
    ("str_split", "string_to_array"),
    ("string_split", "string_to_array"),
    ("suffix", "ends_with"),
    ("ucase", "upper"),
];

/// Replaces a synonym by the name that the session knows, unless it knows the synonym itself.
pub fn rename(state: &SessionState, expr: &mut Expr) {
    let Expr::Function(call) = expr else { return };
    let word = call.name.to_string().to_lowercase();
    let known = |name: &str| state.udf(name).is_ok() || state.udaf(name).is_ok() || state.udwf(name).is_ok();
    if let Some((_, ours)) = SYNONYMS.iter().find(|(theirs, _)| *theirs == word)
        && !known(&word)
        && known(ours)
        && let [ObjectNamePart::Identifier(name)] = call.name.0.as_mut_slice()
    {
        *name = Ident::new(*ours);
    }
}
