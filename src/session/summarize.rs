//! `SUMMARIZE table` and `SUMMARIZE SELECT ...`: one row per column.

use arrow::datatypes::{DataType, Schema};

use crate::recipes::{literal, quote};

/// Characters of the least and the greatest value that are shown.
const LONGEST: usize = 60;

/// Names and types of the columns of a summary that are aggregates, in order.
const AGGREGATES: [(&str, &str); 8] = [
    ("min", "VARCHAR"),
    ("max", "VARCHAR"),
    ("approx_unique", "BIGINT"),
    ("avg", "DOUBLE"),
    ("std", "DOUBLE"),
    ("q25", "DOUBLE"),
    ("q50", "DOUBLE"),
    ("q75", "DOUBLE"),
];

/// The query that summarises the rows of `query`, whose columns are those of `schema`. All columns are computed in one pass.
pub fn summary(query: &str, schema: &Schema) -> String {
    let mut aggregates = vec!["count(*) AS n".to_owned()];
    let mut rows = vec![];
    for (number, field) in schema.fields().iter().enumerate() {
        let column = quote(field.name());
        let mut row = format!(
            "'column_name', {}, 'column_type', {}",
            literal(field.name()),
            literal(&field.data_type().to_string())
        );
        for (name, data_type) in AGGREGATES {
            let value = match aggregate(name, &column, field.data_type()) {
                Some(aggregate) => {
                    aggregates.push(format!("CAST({aggregate} AS {data_type}) AS {name}{number}"));
                    format!("{name}{number}")
                }
                None => format!("CAST(NULL AS {data_type})"),
            };
            row.push_str(&format!(", '{name}', {value}"));
        }
        aggregates.push(format!("count({column}) AS c{number}"));
        rows.push(format!("named_struct({row}, 'rows', n, 'nulls', n - c{number})"));
    }
    let names = AGGREGATES.map(|(name, _)| name);
    let columns = ["column_name", "column_type"].into_iter().chain(names).chain(["rows", "nulls"]);
    let columns: Vec<String> = columns.map(|name| format!("s['{name}'] AS {name}")).collect();
    format!(
        "SELECT {} FROM (SELECT unnest(make_array({})) AS s FROM (SELECT {} FROM ({query}) AS summarized) AS counted) AS told",
        columns.join(", "),
        rows.join(", "),
        aggregates.join(", ")
    )
}

/// The call that computes `name` of a column; `None` for types that it does not exist for.
fn aggregate(name: &str, column: &str, data_type: &DataType) -> Option<String> {
    let end = |call: &str| format!("left(CAST({call}({column}) AS VARCHAR), {LONGEST})");
    let quantile = |share: &str| format!("approx_percentile_cont(CAST({column} AS DOUBLE), {share})");
    let is_known = match name {
        "min" | "max" | "approx_unique" => is_ordered(data_type),
        _ => data_type.is_numeric(),
    };
    is_known.then(|| match name {
        "min" | "max" => end(name),
        "approx_unique" => format!("approx_distinct(CAST({column} AS VARCHAR))"),
        "avg" => format!("avg(CAST({column} AS DOUBLE))"),
        "std" => format!("stddev(CAST({column} AS DOUBLE))"),
        "q25" => quantile("0.25"),
        "q50" => quantile("0.5"),
        _ => quantile("0.75"),
    })
}

fn is_ordered(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_ordered(value),
        other => other.is_numeric() || other.is_temporal() || other.is_string() || matches!(other, DataType::Boolean),
    }
}
