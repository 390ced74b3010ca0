//! Rows as lines.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::common::{Result, internal_err};

use super::after::After;
use super::delimited::{Delimited, DelimitedOptions};
use super::json::JsonLines;
use super::kind::WriteFormat;

/// Bytes of lines that are written at once, unless one line has more.
const WRITTEN: usize = 64 << 10;

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
