//! Rows as the bytes of files: what the name of a file says, what a format can hold, and the writers of lines.
//!
//! All that limpid writes as CSV, TSV or JSON goes through here: `--output`, `COPY ... TO` and the sinks of jobs. What is written
//! can be read back: NULL and the empty text are told apart, and what a format cannot hold is an error that names the column.

mod compress;
mod delimited;
mod format;
mod json;
mod kind;
mod limits;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod tests;

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::common::{Result, internal_err};
use datafusion::execution::session_state::SessionState;

pub use compress::Compressor;
pub use delimited::{Delimited, DelimitedOptions, Nested};
pub use json::{JsonLines, builder as json_builder, check_values as check_json_batch};
pub use kind::{WriteFormat, WriteKind};
pub use limits::check_columns;

/// Bytes of lines that are written at once, unless one line has more.
const WRITTEN: usize = 64 << 10;

/// Called after each line with the bytes that were not taken yet.
type After<'a> = dyn FnMut(&mut Vec<u8>) -> Result<()> + 'a;

/// Writes rows of one format as lines.
#[derive(Debug)]
pub enum LinesEncoder {
    /// CSV or TSV.
    Delimited(Delimited),
    /// One JSON object per line.
    Json(JsonLines),
}

impl LinesEncoder {
    /// The encoder of `format` for rows of `schema`.
    ///
    /// # Errors
    /// A column that the format cannot hold, or names that cannot be read back.
    pub fn new(format: WriteFormat, schema: &Schema) -> Result<Self> {
        match format {
            WriteFormat::Csv => Delimited::new(schema, DelimitedOptions::default()).map(Self::Delimited),
            WriteFormat::Tsv => {
                let options = DelimitedOptions { delimiter: b'\t', ..DelimitedOptions::default() };
                Delimited::new(schema, options).map(Self::Delimited)
            }
            WriteFormat::Json | WriteFormat::JsonLines => JsonLines::new(schema).map(Self::Json),
            WriteFormat::Parquet => internal_err!("Parquet files are not made of lines"),
        }
    }

    /// What a file begins with.
    pub fn header(&self) -> &[u8] {
        match self {
            Self::Delimited(encoder) => encoder.header(),
            Self::Json(_) => &[],
        }
    }

    /// Appends the rows of `batch` to `out`.
    ///
    /// # Errors
    /// A value that the format cannot hold.
    pub fn encode(&self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        self.lines(batch, out, &mut |_| Ok(()))
    }

    /// Writes the rows of `batch` to `out`; no more than one line is in memory at a time, where lines are long.
    ///
    /// # Errors
    /// A value that the format cannot hold; those of writing.
    pub fn write(&self, batch: &RecordBatch, out: &mut dyn Write) -> Result<()> {
        let mut lines = Vec::new();
        self.lines(batch, &mut lines, &mut |lines| {
            if lines.len() >= WRITTEN {
                out.write_all(lines)?;
                lines.clear();
                lines.shrink_to(2 * WRITTEN);
            }
            Ok(())
        })?;
        Ok(out.write_all(&lines)?)
    }

    fn lines(&self, batch: &RecordBatch, out: &mut Vec<u8>, after: &mut After<'_>) -> Result<()> {
        match self {
            Self::Delimited(encoder) => encoder.encode(batch, out, after),
            Self::Json(encoder) => encoder.encode(batch, out, after),
        }
    }
}

/// Makes `COPY ... TO` and `INSERT INTO` write with the encoders of this module.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    format::register(state)
}
