//! Rows as lines.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::common::{Result, internal_err};

use super::after::After;
use super::delimited::{Delimited, DelimitedOptions};
use super::json::JsonLines;
use super::kind::WriteFormat;

/// Bytes written at once, unless a single line has more.
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
    /// Creates the encoder of `format` for rows of `schema`.
    ///
    /// # Errors
    /// The format cannot hold a column, or names could not be read back.
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

    /// The start of a file.
    pub fn header(&self) -> &[u8] {
        match self {
            Self::Delimited(encoder) => encoder.header(),
            Self::Json(_) => &[],
        }
    }

    /// Appends the rows of `batch` to `out`.
    ///
    /// # Errors
    /// The format cannot hold a value.
    pub fn encode(&self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        self.lines(batch, out, &mut |_| Ok(()))
    }

    /// Writes the rows of `batch` to `out`. If lines are long, only one is in memory at a time.
    ///
    /// # Errors
    /// The format cannot hold a value, or writing fails.
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
