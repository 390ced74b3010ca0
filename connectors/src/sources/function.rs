//! A function that reads files: `read_csv('path', delimiter => ';')`.

use datafusion::logical_expr::{DocSection, Documentation, DocumentationBuilder};

use super::files::Format;

/// A table function over files.
#[derive(Debug, Clone, Copy)]
pub struct TableFunction {
    /// Its name in SQL.
    pub name: &'static str,
    /// The format it reads, whatever the files are called.
    pub format: Option<Format>,
    /// What the function returns.
    pub gives: Gives,
    /// Its named options.
    pub options: &'static [&'static [&'static str]],
    /// Alternative spellings of options.
    pub others: &'static [&'static str],
    /// Its reference.
    pub documentation: fn() -> DocumentationBuilder,
}

/// What a table function gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// What is in the files.
    Rows,
    /// The errors in them, one row per rejected record.
    Rejects,
    /// The files themselves.
    Files,
}

impl TableFunction {
    /// All named options in one list.
    pub fn known(&self) -> Vec<&'static str> {
        self.options.concat()
    }
}

impl PartialEq for TableFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Options of every function that returns rows.
pub(crate) const FILES: &[&str] = &["exclude", "partitions", "provenance"];
/// What leaves files out.
pub(crate) const EXCLUDE: &[&str] = &["exclude"];

const SECTION: DocSection = DocSection { include: true, label: "Reading files", description: None };

/// What the path of a function is.
pub(crate) const PATH: &str = "A path, a folder or a glob in quotes, or a list of them: `['a.csv', 'b/*.csv']`. Local, or a URL in a registered \
                    object store. A pattern that matches no file is an error.";

/// An entry of the reference.
pub(crate) fn entry(description: &str, syntax: &str) -> DocumentationBuilder {
    Documentation::builder(SECTION, description, syntax)
}

/// Adds the options of every function that returns rows.
pub(crate) fn files(builder: DocumentationBuilder) -> DocumentationBuilder {
    builder
        .with_argument("exclude", "Globs of files to leave out, one or a list.")
        .with_argument("partitions", "Names of the `key=value` folders that become columns; those that all files have by default.")
        .with_argument(
            "provenance",
            "`true` adds `_file` (path), `_row` (0 for the first row of a file) and `_row_id` (`file#row`). `false` by default, \
             and `true` where the statement names one of these columns.",
        )
}
