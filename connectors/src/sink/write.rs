//! A stream of batches to the files of a staging folder.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use super::lines::LinesWriter;
use super::manifest::Part;
use super::parquet::ParquetWriter;
use crate::url_table::Compression;

/// Rows that a writer gets at a time, whatever batches the stream has: small, because rows can be large texts.
const CHUNK_ROWS: usize = 256;

/// Format of the written files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkFormat {
    /// Parquet, zstd level 3.
    Parquet,
    /// One JSON object a line, NULLs written out.
    Jsonl(Compression),
    /// CSV with a header in each file.
    Csv(Compression),
}

impl fmt::Display for SinkFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, compression) = match self {
            Self::Parquet => ("parquet", Compression::None),
            Self::Jsonl(compression) => ("jsonl", *compression),
            Self::Csv(compression) => ("csv", *compression),
        };
        f.write_str(name)?;
        f.write_str(match compression {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Bzip2 => ".bz2",
            Compression::Xz => ".xz",
            Compression::Zstd => ".zst",
        })
    }
}

impl FromStr for SinkFormat {
    type Err = DataFusionError;

    /// Reads `parquet`, `jsonl`, `json`, `ndjson` or `csv`, the last four with or without `.gz` or `.zst`.
    fn from_str(text: &str) -> Result<Self> {
        let lower = text.to_ascii_lowercase();
        let (name, compression) = match lower.split_once('.') {
            None => (lower.as_str(), Some(Compression::None)),
            Some((name, "gz")) => (name, Some(Compression::Gzip)),
            Some((name, "zst")) => (name, Some(Compression::Zstd)),
            Some((name, _)) => (name, None),
        };
        match (name, compression) {
            ("parquet", Some(Compression::None)) => Ok(Self::Parquet),
            ("jsonl" | "json" | "ndjson", Some(compression)) => Ok(Self::Jsonl(compression)),
            ("csv", Some(compression)) => Ok(Self::Csv(compression)),
            _ => plan_err!(
                "'{text}' is no format to write: there are parquet, jsonl, jsonl.gz, jsonl.zst, csv, csv.gz, csv.zst"
            ),
        }
    }
}

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteOptions {
    /// Format of the files.
    pub format: SinkFormat,
    /// A file that has reached so many bytes is finished and the next one begun.
    pub target_file_bytes: u64,
    /// A row group (Parquet) ends when its values have so many bytes, or at 131,072 rows.
    pub row_group_bytes: usize,
    /// Row groups that are encoded at the same time: costs memory, does not change the result.
    pub concurrency: usize,
}

impl Default for WriteOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            format: SinkFormat::Parquet,
            target_file_bytes: 256 << 20,
            row_group_bytes: 32 << 20,
            concurrency: cores.min(4),
        }
    }
}

/// Takes chunks of [`CHUNK_ROWS`] rows and makes files of them.
pub(super) trait PartsWriter: Send + Sized {
    fn write(self, chunk: RecordBatch) -> impl Future<Output = Result<Self>> + Send;
    fn finish(self) -> impl Future<Output = Result<Vec<Part>>> + Send;
}

/// Writes all rows of `stream` to files in `folder`; at least one file, even without rows, so that the columns are kept.
pub(super) async fn write_parts(
    folder: &Path,
    stream: SendableRecordBatchStream,
    options: &WriteOptions,
) -> Result<Vec<Part>> {
    let schema = stream.schema();
    if schema.fields().is_empty() {
        return plan_err!("a result without columns cannot be written");
    }
    match options.format {
        SinkFormat::Parquet => drive(stream, schema.clone(), ParquetWriter::new(folder, schema, options)?).await,
        SinkFormat::Jsonl(_) | SinkFormat::Csv(_) => {
            drive(stream, schema.clone(), LinesWriter::new(folder, schema, options)?).await
        }
    }
}

async fn drive<W: PartsWriter>(
    mut stream: SendableRecordBatchStream,
    schema: SchemaRef,
    mut writer: W,
) -> Result<Vec<Part>> {
    let mut chunks = BatchCoalescer::new(schema, CHUNK_ROWS);
    while let Some(batch) = stream.next().await {
        // Pieces, so that the chunks of a large batch do not all wait in the coalescer at once.
        let batch = batch?;
        let mut start = 0;
        while start < batch.num_rows() {
            let rows = (batch.num_rows() - start).min(CHUNK_ROWS - chunks.get_buffered_rows());
            chunks.push_batch(batch.slice(start, rows))?;
            start += rows;
            while let Some(chunk) = chunks.next_completed_batch() {
                writer = writer.write(chunk).await?;
            }
        }
    }
    chunks.finish_buffered_batch()?;
    while let Some(chunk) = chunks.next_completed_batch() {
        writer = writer.write(chunk).await?;
    }
    writer.finish().await
}
