//! A stream of batches to the files of a staging folder.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{Result, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use super::lines::LinesWriter;
use super::manifest::Part;
use super::options::PartsWriter;
pub use super::options::WriteOptions;
use super::parquet::ParquetWriter;
use crate::sinks::encode::{WriteFormat, check_columns};

/// Number of rows passed to a writer at a time, whatever the batches of the stream. It is small because rows can be large
/// texts.
const CHUNK_ROWS: usize = 256;

/// Writes all rows of `stream` to files in `folder`. Writes at least one file, even without rows, so that the columns are
/// preserved.
pub(super) async fn write_parts(
    folder: &Path,
    stream: SendableRecordBatchStream,
    options: &WriteOptions,
) -> Result<Vec<Part>> {
    let schema = stream.schema();
    if schema.fields().is_empty() {
        return plan_err!("a result without columns cannot be written");
    }
    check_columns(options.format.format, &schema)?;
    match options.format.format {
        WriteFormat::Parquet => drive(stream, schema.clone(), ParquetWriter::new(folder, schema, options)?).await,
        _ => drive(stream, schema.clone(), LinesWriter::new(folder, &schema, options)?).await,
    }
}

async fn drive<W: PartsWriter>(
    mut stream: SendableRecordBatchStream,
    schema: SchemaRef,
    mut writer: W,
) -> Result<Vec<Part>> {
    let (mut parts, mut gathered) = (Vec::new(), 0);
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let mut start = 0;
        while start < batch.num_rows() {
            let rows = (batch.num_rows() - start).min(CHUNK_ROWS - gathered);
            parts.push(batch.slice(start, rows));
            start += rows;
            gathered += rows;
            if gathered == CHUNK_ROWS {
                writer = writer.write(chunk(&schema, &parts)?).await?;
                parts.clear();
                gathered = 0;
            }
        }
    }
    if gathered > 0 {
        writer = writer.write(chunk(&schema, &parts)?).await?;
    }
    writer.finish().await
}

/// Concatenates `parts` into new buffers. (Arrow's coalescer reserves up to a megabyte per text column.)
fn chunk(schema: &SchemaRef, parts: &[RecordBatch]) -> Result<RecordBatch> {
    let rows = concat_batches(schema, parts)?;
    let columns = rows.columns().iter().map(|column| match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()) as ArrayRef,
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        _ => Arc::clone(column),
    });
    Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect())?)
}
