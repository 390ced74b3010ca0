//! CSV, TSV and JSON files as tables.
//!
//! Columns of all files are matched by name. Types are inferred from values and widen without loss (the table is in
//! `types/observed.rs`). Records are located first and decoded afterwards. A record that cannot be read is an error that
//! names file, line, column and value; or it is skipped and counted, or becomes a row of a table of rejected records. The
//! resulting rows do not depend on the number of threads, the size of batches or the columns that a query selects.
//!
//! `input` converts files to UTF-8, `window` holds a part of that, `part` locates records (`csv/`, `json/`), `reader` decodes
//! them into `types` columns, `sample` infers the columns, `split` divides large files, and `source` is what a plan runs.

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
