//! Encoding of rows as files: the meaning of file names, the limits of formats, and the writers of line formats.
//!
//! All CSV, TSV and JSON output of limpid goes through this module: `--output`, `COPY ... TO` and the sinks of jobs. What is
//! written can be read back. NULL and the empty text are distinct, and a value that a format cannot hold is an error that
//! names the column.

mod after;
mod compress;
mod delimited;
mod format;
mod json;
mod kind;
mod limits;
mod lines;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod tests;

use datafusion::common::Result;
use datafusion::execution::session_state::SessionState;

pub use compress::Compressor;
pub use delimited::{Delimited, DelimitedOptions, Nested};
pub use json::{JsonLines, builder as json_builder, check_values as check_json_batch};
pub use kind::{WriteFormat, WriteKind};
pub use limits::check_columns;
pub use lines::LinesEncoder;

/// Makes `COPY ... TO` and `INSERT INTO` write with the encoders of this module.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    format::register(state)
}
