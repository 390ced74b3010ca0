//! Formats for programs: CSV, TSV, JSON, JSON lines and Parquet, in constant memory.

use std::io::Write;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::json::Writer as JsonWriter;
use arrow::json::writer::JsonArray;
use arrow::record_batch::RecordBatch;
use datafusion::common::DataFusionError;
use limpid_connectors::sinks::encode::{
    Compressor, Delimited, DelimitedOptions, JsonLines, LinesEncoder, Nested, WriteFormat, check_columns,
    check_json_batch, json_builder,
};
use limpid_connectors::sources::Compression;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::target::Target;
use super::writer::ResultWriter;
use crate::cli::errors::Failure;

/// CSV, TSV or JSON lines.
pub struct Lines<'a> {
    out: Compressor<&'a mut Target>,
    encoder: LinesEncoder,
}

impl<'a> Lines<'a> {
    /// A header, then one line per row.
    pub fn delimited(
        out: &'a mut Target,
        schema: &SchemaRef,
        delimiter: u8,
        nested: Nested,
        compression: Compression,
    ) -> Result<Self, Failure> {
        let options = DelimitedOptions { delimiter, nested, ..DelimitedOptions::default() };
        Self::new(out, LinesEncoder::Delimited(Delimited::new(schema, options)?), compression)
    }

    /// One JSON object per line.
    pub fn json(out: &'a mut Target, schema: &SchemaRef, compression: Compression) -> Result<Self, Failure> {
        Self::new(out, LinesEncoder::Json(JsonLines::new(schema)?), compression)
    }

    fn new(out: &'a mut Target, encoder: LinesEncoder, compression: Compression) -> Result<Self, Failure> {
        let mut out = Compressor::new(out, compression)?;
        out.write_all(encoder.header())?;
        Ok(Self { out, encoder })
    }
}

impl ResultWriter for Lines<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.encoder.write(batch, &mut self.out).map_err(|error| match error {
            DataFusionError::IoError(error) => Failure::from(error),
            error => Failure::from(error),
        })
    }

    fn finish(self: Box<Self>) -> Result<(), Failure> {
        self.out.finish()?;
        Ok(())
    }
}

/// One JSON array of objects.
pub struct JsonArrayWriter<'a>(JsonWriter<Compressor<&'a mut Target>, JsonArray>);

impl<'a> JsonArrayWriter<'a> {
    pub fn new(out: &'a mut Target, schema: &SchemaRef, compression: Compression) -> Result<Self, Failure> {
        check_columns(WriteFormat::Json, schema)?;
        Ok(Self(json_builder().build(Compressor::new(out, compression)?)))
    }
}

impl ResultWriter for JsonArrayWriter<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        check_json_batch(batch)?;
        Ok(self.0.write(batch)?)
    }

    fn finish(mut self: Box<Self>) -> Result<(), Failure> {
        self.0.finish()?;
        let mut out = self.0.into_inner();
        out.write_all(b"\n")?;
        out.finish()?;
        Ok(())
    }
}

/// Bytes in memory after which a row group of a Parquet file ends, at the next batch.
const ROW_GROUP_BYTES: usize = 16 << 20;

/// Bytes that a row group may have for each column, at least: what the file says of each column of each row group is kept until its end.
const COLUMN_BYTES: usize = 128 << 10;

/// One Parquet file, compressed with zstd, and the bytes after which a row group of it ends.
pub struct Parquet<'a>(ArrowWriter<&'a mut Target>, usize);

impl<'a> Parquet<'a> {
    pub fn new(out: &'a mut Target, schema: &SchemaRef) -> Result<Self, Failure> {
        check_columns(WriteFormat::Parquet, schema)?;
        let properties = WriterProperties::builder().set_compression(Codec::ZSTD(ZstdLevel::default())).build();
        let group_bytes = ROW_GROUP_BYTES.max(schema.fields().len() * COLUMN_BYTES);
        let writer = ArrowWriter::try_new(out, Arc::clone(schema), Some(properties)).map_err(cannot_write)?;
        Ok(Self(writer, group_bytes))
    }
}

impl ResultWriter for Parquet<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.0.write(batch).map_err(cannot_write)?;
        if self.0.memory_size() >= self.1 { self.0.flush().map_err(cannot_write) } else { Ok(()) }
    }

    fn finish(self: Box<Self>) -> Result<(), Failure> {
        self.0.close().map(|_| ()).map_err(cannot_write)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err asks for")]
fn cannot_write(error: ParquetError) -> Failure {
    Failure::error(format!("cannot write Parquet: {error}"))
}
