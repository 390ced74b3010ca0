//! `SUMMARIZE table` and `SUMMARIZE SELECT ...`: a row about each column.

use arrow::datatypes::{DataType, Schema};

/// The query that summarises the rows of `query`, whose columns `schema` tells. All columns are looked at in one pass.
pub fn summary(query: &str, schema: &Schema) -> String {
    let mut aggregates = vec!["count(*) AS n".to_owned()];
    let mut rows = vec![];
    for (number, field) in schema.fields().iter().enumerate() {
        let column = format!("\"{}\"", field.name().replace('"', "\"\""));
        let data_type = field.data_type();
        aggregates.push(format!("count({column}) AS c{number}"));
        let mut told = |name: &str, wanted: bool, aggregate: String| -> String {
            if !wanted {
                return format!("'{name}', CAST(NULL AS {})", if is_text(name) { "VARCHAR" } else { "DOUBLE" });
            }
            aggregates.push(format!("{aggregate} AS {name}{number}"));
            format!("'{name}', {name}{number}")
        };
        let (ordered, numeric) = (is_ordered(data_type), data_type.is_numeric());
        let ends = |end: &str| format!("left(CAST({end}({column}) AS VARCHAR), {LONGEST})");
        let number_of = |call: &str| call.replace('?', &format!("CAST({column} AS DOUBLE)"));
        let told = [
            told("min", ordered, ends("min")),
            told("max", ordered, ends("max")),
            told("approx_unique", ordered, format!("CAST(approx_distinct(CAST({column} AS VARCHAR)) AS DOUBLE)")),
            told("avg", numeric, number_of("avg(?)")),
            told("std", numeric, number_of("stddev(?)")),
            told("q25", numeric, number_of("approx_percentile_cont(?, 0.25)")),
            told("q50", numeric, number_of("approx_percentile_cont(?, 0.5)")),
            told("q75", numeric, number_of("approx_percentile_cont(?, 0.75)")),
        ];
        rows.push(format!(
            "named_struct('column_name', '{}', 'column_type', '{}', {}, 'rows', n, 'nulls', n - c{number})",
            field.name().replace('\'', "''"),
            data_type.to_string().replace('\'', "''"),
            told.join(", ")
        ));
    }
    let columns = COLUMNS.map(|name| match name {
        "approx_unique" => "CAST(s['approx_unique'] AS BIGINT) AS approx_unique".to_owned(),
        name => format!("s['{name}'] AS {name}"),
    });
    format!(
        "SELECT {} FROM (SELECT unnest(make_array({})) AS s FROM (SELECT {} FROM ({query}) AS summarized) AS counted) AS told",
        columns.join(", "),
        rows.join(", "),
        aggregates.join(", ")
    )
}

/// Characters of the least and the greatest value that are shown.
const LONGEST: usize = 60;

const COLUMNS: [&str; 12] =
    ["column_name", "column_type", "min", "max", "approx_unique", "avg", "std", "q25", "q50", "q75", "rows", "nulls"];

fn is_text(name: &str) -> bool {
    matches!(name, "min" | "max")
}

fn is_ordered(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_ordered(value),
        other => other.is_numeric() || other.is_temporal() || other.is_string() || matches!(other, DataType::Boolean),
    }
}
