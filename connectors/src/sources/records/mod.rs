//! CSV, TSV and JSON files as tables.
//!
//! Columns of all files are matched by name; types come from the values and widen without loss (the table is in `types/observed.rs`).
//! Records are found first and read afterwards: a record that cannot be read is an error that names file, line, column and
//! value, or is left out and counted, or becomes a row of a table of rejected records. Which rows there are depends neither on the
//! number of threads nor on the size of batches nor on the columns that a query selects.
//!
//! `input` turns files into UTF-8, `window` holds a part of that, `part` finds records (`csv/`, `json/`), `reader` reads them into
//! `types` columns, `sample` infers the columns, `split` cuts large files, `source` is what a plan runs.

mod csv;
mod error;
mod external;
mod files;
pub(crate) mod formats;
pub(crate) mod functions;
mod input;
mod json;
mod layout;
mod options;
mod part;
mod plan;
mod reader;
mod rejects;
mod sample;
mod source;
mod split;
#[cfg(test)]
mod tests;
mod types;
mod window;

pub use files::{Csv, Json, Tsv};
pub use formats::{CSV, JSON, TSV};
pub use input::Charset;
pub use options::{JsonLayout, OnError, Ragged, RecordOptions, Sample};
pub use plan::RecordPlan;
pub use source::RecordSource;
