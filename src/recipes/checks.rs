//! What is checked of the input before a recipe's answer is given, once for all recipes, as SQL over the relation `input`.

use super::literal;
use super::parameter::{Allowed, Parameter};

/// A column that an argument names.
pub struct Used<'a> {
    /// The parameter.
    pub parameter: &'a Parameter,
    /// The column.
    pub column: &'a str,
    /// The column as SQL.
    pub sql: String,
}

/// A query of one row where all holds, an error where something does not; `None` where there is nothing to check.
///
/// One pass over the keys groups them; groups spill. Keys that come twice or are NULL, and a label with one value, are errors. Scores
/// that are NULL or NaN are a warning that names the first of their rows.
pub fn query(recipe: &str, used: &[Used]) -> Option<String> {
    let of = |allowed: &Allowed| used.iter().filter(move |used| used.parameter.allowed == *allowed).collect::<Vec<_>>();
    let keys = of(&Allowed::Unique);
    let key = keys.first().map_or("NULL", |key| key.sql.as_str());
    let (mut by_key, mut all, mut conditions) = (vec![], vec![], vec![]);
    let mut require = |condition: String, used: &Used, text: String, level: &str| {
        let start = format!("recipe `{recipe}`: argument `{}`: column `{}` ", used.parameter.name, used.column);
        let end = text.replace("{start}", &literal(&start));
        conditions.push(format!("require({condition}, {end}, '{level}')"));
    };
    for used in &keys {
        by_key.push("count(*) AS __rows".to_owned());
        all.push("min(__key) FILTER (WHERE __rows > 1) AS __twice".to_owned());
        all.push("coalesce(sum(__rows) FILTER (WHERE __key IS NULL), 0) AS __without".to_owned());
        let text = "{start} || 'has the value ' || CAST(__twice AS VARCHAR) || ' more than once; every row needs a key of its own'";
        require("__twice IS NULL".to_owned(), used, text.to_owned(), "error");
        let text = "{start} || 'is NULL in ' || __without || ' rows; every row needs a key'";
        require("__without = 0".to_owned(), used, text.to_owned(), "error");
    }
    for used in of(&Allowed::Classes) {
        let sql = &used.sql;
        by_key.push(format!("min({sql}) AS __least, max({sql}) AS __most, count(*) AS __labels"));
        all.push("min(__least) AS __least, max(__most) AS __most, coalesce(sum(__labels), 0) AS __labels".to_owned());
        let text = "{start} || 'has one value, ' || CAST(__least AS VARCHAR) || '; learning needs two classes'";
        require("__least IS NULL OR __least <> __most".to_owned(), used, text.to_owned(), "error");
        let text = "{start} || 'has no value in any row; learning needs two classes'";
        require("__labels = 0 OR __least IS NOT NULL".to_owned(), used, text.to_owned(), "error");
    }
    for (at, used) in of(&Allowed::Numbers).into_iter().enumerate() {
        let sql = &used.sql;
        by_key.push(format!("count(*) FILTER (WHERE {sql} IS NULL OR isnan(CAST({sql} AS DOUBLE))) AS __bad_{at}"));
        all.push(format!("coalesce(sum(__bad_{at}), 0) AS __bad_{at}"));
        all.push(format!("min(__key) FILTER (WHERE __bad_{at} > 0) AS __first_{at}"));
        let text = format!(
            "{{start}} || 'is NULL or NaN in ' || __bad_{at} || ' rows, the first of them row ' || CAST(__first_{at} AS VARCHAR) || '; such rows come last'"
        );
        require(format!("__bad_{at} = 0"), used, text, "warning");
    }
    if conditions.is_empty() {
        return None;
    }
    Some(format!(
        "SELECT 1 FROM (SELECT {} FROM (SELECT {key} AS __key, {} FROM input GROUP BY {key})) WHERE {}",
        all.join(", "),
        by_key.join(", "),
        conditions.join(" AND ")
    ))
}
