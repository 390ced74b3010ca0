//! The plan of a source: its columns, and how their values are read.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::{Result, TableReference, plan_datafusion_err, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::planner::ContextProvider;
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;
use std::sync::{Arc, LazyLock};

use super::RecordOptions;
use super::options::text_type;
use crate::sources::files::Format;
use crate::sources::files::PROVENANCE;

/// Everything that a scan of CSV or JSON files needs to know besides the files, as plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPlan {
    /// CSV, TSV or JSON.
    pub format: Format,
    /// Options, with what the files showed.
    pub options: RecordOptions,
    /// Columns of the records.
    pub schema: SchemaRef,
    /// Columns whose types the user gave. Their values are read as SQL would cast them.
    pub declared: Vec<String>,
    /// Whether the user gave all columns. Other columns in the files are then ignored.
    pub closed: bool,
    /// Whether types were inferred from a part of the files.
    pub sampled: bool,
    /// Whether `_file`, `_row` and `_row_id` follow the columns.
    pub provenance: bool,
    /// Whether text is `Utf8View`.
    pub views: bool,
}

impl RecordPlan {
    /// Columns of the table, before partition columns.
    pub fn table_schema(&self) -> SchemaRef {
        if self.options.rejects {
            return super::rejects::schema(self.views);
        }
        if !self.provenance {
            return Arc::clone(&self.schema);
        }
        let text = text_type(self.views);
        let more = PROVENANCE.map(|name| {
            let data_type = if name == "_row" { DataType::Int64 } else { text.clone() };
            Arc::new(Field::new(name, data_type, false))
        });
        Arc::new(Schema::new(self.schema.fields().iter().cloned().chain(more).collect::<Vec<_>>()))
    }

    /// Names of all columns, where the user gave them.
    pub(crate) fn given(&self) -> Option<Vec<String>> {
        self.closed.then(|| self.schema.fields().iter().map(|field| field.name().clone()).collect())
    }

    /// Whether the user gave the type of `name`.
    pub(crate) fn is_declared(&self, name: &str) -> bool {
        self.closed || self.declared.iter().any(|declared| declared == name)
    }
}

/// Whether VARCHAR is `Utf8View` in a session.
pub(crate) fn views(state: &dyn Session) -> bool {
    state.config_options().sql_parser.map_string_types_to_utf8view
}

/// Parses the option `name`: a column list as in `CREATE TABLE`, or a JSON object of names and types.
pub(crate) fn columns(name: &str, text: &str, views: bool) -> Result<Schema> {
    let list = match text.trim_start().starts_with('{') {
        true => from_object(name, text)?,
        false => text.trim().trim_start_matches('(').trim_end_matches(')').to_owned(),
    };
    // The parentheses of a type, such as DECIMAL(10, 2), may have been removed along with those around the list.
    let open = list.matches('(').count().saturating_sub(list.matches(')').count());
    let list = format!("{list}{}", ")".repeat(open));
    let wrong = |e: &dyn fmt::Display| {
        plan_datafusion_err!("option {name} is '{text}': allowed is a list such as 'id BIGINT, text VARCHAR' ({e})")
    };
    let mut statements = DFParser::parse_sql(&format!("CREATE TABLE t ({list})")).map_err(|e| wrong(&e))?;
    let columns = match statements.pop_front() {
        Some(Statement::Statement(statement)) if statements.is_empty() => match *statement {
            SqlStatement::CreateTable(table) => table.columns,
            _ => return Err(wrong(&"no list of columns")),
        },
        _ => return Err(wrong(&"no list of columns")),
    };
    let options = ParserOptions { map_string_types_to_utf8view: views, ..ParserOptions::new() };
    let schema = SqlToRel::new_with_options(&NoTables, options).build_schema(columns).map_err(|e| wrong(&e))?;
    if schema.fields().is_empty() {
        return Err(wrong(&"it names no column"));
    }
    let mut names = std::collections::BTreeSet::new();
    if let Some(twice) = schema.fields().iter().find(|field| !names.insert(field.name())) {
        return plan_err!("option {name} has the column {} twice", twice.name());
    }
    // Any column may be missing in a record.
    Ok(Schema::new(schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>()))
}

fn from_object(name: &str, text: &str) -> Result<String> {
    let Pairs(pairs) = serde_json::from_str(text).map_err(|e| {
        plan_datafusion_err!("option {name} is '{text}': allowed is an object of names and types, both text ({e})")
    })?;
    let column = |(column, data_type): &(String, String)| format!("\"{}\" {data_type}", column.replace('"', "\"\""));
    Ok(pairs.iter().map(column).collect::<Vec<_>>().join(", "))
}

/// A JSON object of texts, in its order.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Types need no tables and no functions.
struct NoTables;

static DEFAULTS: LazyLock<ConfigOptions> = LazyLock::new(ConfigOptions::default);

impl ContextProvider for NoTables {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        plan_err!("there is no table {name} in a list of columns")
    }

    fn get_function_meta(&self, _: &str) -> Option<Arc<ScalarUDF>> {
        None
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, _: &str) -> Option<Arc<AggregateUDF>> {
        None
    }

    fn get_window_meta(&self, _: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &DEFAULTS
    }

    fn udf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_columns() {
        let schema = columns("columns", "id BIGINT, \"Text\" VARCHAR, n DECIMAL(10, 2), v FLOAT[]", true).unwrap();
        let types: Vec<String> = schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect();
        assert_eq!(types[..3], ["id Int64", "Text Utf8View", "n Decimal128(10, 2)"]);
        assert_eq!(columns("columns", "(id INT, n DECIMAL(10, 2))", true).unwrap().fields().len(), 2);
        assert_eq!(columns("types", "{\"id\": \"INT\", \"a b\": \"VARCHAR\"}", false).unwrap().field(1).name(), "a b");
        for (text, part) in
            [("id", "allowed is a list"), ("id NOPE, x INT", "NOPE"), ("a INT, a INT", "twice"), ("", "allowed")]
        {
            let error = columns("columns", text, true).unwrap_err().to_string();
            assert!(error.contains("option columns") && error.contains(part), "{error}");
        }
    }
}
