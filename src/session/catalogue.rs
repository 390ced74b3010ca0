//! Lists every function and operator that SQL can use in a session, with its documentation.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use datafusion::execution::SessionStateDefaults;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::Documentation;
use limpid_udfs::checked::is_operator;

/// The role of a name in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Computes a value from the values of a row.
    Scalar,
    /// Computes a value from many rows.
    Aggregate,
    /// Computes a value from the rows around a row.
    Window,
    /// A function that takes lambdas.
    HigherOrder,
    /// Returns a relation for constants, such as the path of files.
    Table,
    /// Returns a relation for a relation.
    Relation,
}

impl Kind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Aggregate => "aggregate",
            Self::Window => "window",
            Self::HigherOrder => "higher-order",
            Self::Table => "table",
            Self::Relation => "relation",
        }
    }
}

/// A function or operator with what is known about it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// As SQL writes it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Whether limpid provides it, rather than DataFusion.
    pub ours: bool,
    /// If this is an alias, the name it stands for.
    pub alias_of: Option<String>,
    /// Written by the author of the function.
    pub documentation: Option<Documentation>,
}

impl Entry {
    /// How it is called.
    pub fn syntax(&self) -> String {
        match (&self.alias_of, &self.documentation) {
            (None, Some(d)) => d.syntax_example.clone(),
            _ => format!("{}(...)", self.name),
        }
    }

    /// What it does, in one paragraph.
    pub fn description(&self) -> String {
        match (&self.alias_of, &self.documentation) {
            (Some(name), _) => format!("Another name of {name}."),
            (None, Some(d)) => d.description.split_whitespace().collect::<Vec<_>>().join(" "),
            (None, None) => String::new(),
        }
    }
}

/// All entries by name, limpid's own first.
pub fn entries(state: &SessionState) -> Vec<Entry> {
    let mut found: BTreeMap<(bool, String, Kind), Entry> = BTreeMap::new();
    let mut add = |key: &str, name: &str, kind: Kind, theirs: bool, documentation: Option<&Documentation>| {
        let alias_of = (key != name).then(|| name.to_owned());
        let entry =
            Entry { name: key.to_owned(), kind, ours: !theirs, alias_of, documentation: documentation.cloned() };
        found.insert((theirs, key.to_owned(), kind), entry);
    };
    let theirs = names(SessionStateDefaults::default_scalar_functions().iter().map(|f| f.name()));
    // Functions that implement operators are not called by name.
    for (key, f) in state.scalar_functions().iter().filter(|(key, _)| !is_operator(key)) {
        add(key, f.name(), Kind::Scalar, theirs.contains(f.name()), f.documentation());
    }
    let theirs = names(SessionStateDefaults::default_aggregate_functions().iter().map(|f| f.name()));
    for (key, f) in state.aggregate_functions() {
        add(key, f.name(), Kind::Aggregate, theirs.contains(f.name()), f.documentation());
    }
    let theirs = names(SessionStateDefaults::default_window_functions().iter().map(|f| f.name()));
    for (key, f) in state.window_functions() {
        add(key, f.name(), Kind::Window, theirs.contains(f.name()), f.documentation());
    }
    for (key, f) in state.higher_order_functions() {
        add(key, f.name(), Kind::HigherOrder, true, f.documentation());
    }
    let theirs = names(SessionStateDefaults::default_table_functions().iter().map(|f| f.name()));
    for (key, f) in state.table_functions() {
        add(key, f.name(), Kind::Table, theirs.contains(f.name()), None);
    }
    for (name, documentation) in limpid_connectors::sources::functions::documentation() {
        add(name, name, Kind::Table, false, Some(&documentation));
    }
    for operator in limpid_udfs::register::operators().into_iter().chain(crate::recipes::docs::functions()) {
        add(operator.name, operator.name, Kind::Relation, false, Some(&operator.documentation));
    }
    found.into_values().collect()
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> HashSet<String> {
    names.map(str::to_owned).collect()
}

/// The answer to `SHOW FUNCTIONS`.
pub fn table(entries: &[Entry]) -> Result<RecordBatch> {
    let column = |text: fn(&Entry) -> String| -> ArrayRef {
        Arc::new(entries.iter().map(|e| Some(text(e))).collect::<StringArray>())
    };
    let columns = [
        ("name", column(|e| e.name.clone())),
        ("kind", column(|e| e.kind.word().to_owned())),
        ("source", column(|e| if e.ours { "limpid" } else { "datafusion" }.to_owned())),
        ("syntax", column(Entry::syntax)),
        ("description", column(Entry::description)),
    ];
    let fields: Vec<Field> = columns.iter().map(|(name, _)| Field::new(*name, DataType::Utf8, false)).collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{self, EngineOptions};

    #[test]
    fn ours_come_first_with_their_documentation() {
        let ctx = session::context(&EngineOptions::default()).unwrap();
        let all = entries(&ctx.state());
        let first_theirs = all.iter().position(|e| !e.ours).unwrap();
        assert!(all[first_theirs..].iter().all(|e| !e.ours));
        let hash = all.iter().find(|e| e.name == "xxh3_64").unwrap();
        assert!(hash.ours && hash.kind == Kind::Scalar);
        assert_eq!(hash.syntax(), "xxh3_64(text)");
        assert!(hash.description().starts_with("64-bit XXH3"));
        for entry in all.iter().filter(|e| e.ours && e.alias_of.is_none() && e.kind != Kind::Table) {
            assert!(!entry.description().is_empty(), "{} has no documentation", entry.name);
        }
        let alias = all.iter().find(|e| e.name == "len" || e.name == "length").unwrap();
        assert!(!alias.ours && alias.alias_of.is_some());
        assert_eq!(table(&all).unwrap().num_rows(), all.len());
    }
}
