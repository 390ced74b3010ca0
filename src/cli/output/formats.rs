//! Formats for programs: CSV, TSV, JSON, JSON lines and Parquet, in constant memory.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use arrow::csv::{Writer as CsvWriter, WriterBuilder as CsvBuilder};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::json::writer::{EncoderOptions, JsonArray, JsonFormat, LineDelimited, make_encoder};
use arrow::json::{Writer as JsonWriter, WriterBuilder as JsonBuilder};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::{ResultWriter, Target};
use crate::cli::errors::Failure;

/// CSV or TSV: a header, then one line a row. Values that are not flat are JSON.
pub struct Delimited<'a> {
    writer: CsvWriter<&'a mut Target>,
    schema: SchemaRef,
}

impl<'a> Delimited<'a> {
    pub fn new(out: &'a mut Target, schema: &SchemaRef, delimiter: u8) -> Self {
        let fields: Vec<FieldRef> = schema.fields().iter().map(flat_field).collect();
        let writer = CsvBuilder::new().with_header(true).with_delimiter(delimiter).build(out);
        Self { writer, schema: Arc::new(Schema::new(fields)) }
    }

    fn flat(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
            if is_flat(field.data_type()) { Ok(Arc::clone(column)) } else { as_json(field, column) }
        });
        let columns = columns.collect::<Result<Vec<_>, Failure>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &rows)?)
    }
}

impl ResultWriter for Delimited<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        Ok(self.writer.write(&self.flat(batch)?)?)
    }

    fn finish(mut self: Box<Self>) -> Result<(), Failure> {
        // A result without rows still has its header.
        Ok(self.writer.write(&RecordBatch::new_empty(Arc::clone(&self.schema)))?)
    }
}

fn is_flat(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_flat(value),
        DataType::RunEndEncoded(..) => false,
        other => !other.is_nested(),
    }
}

fn flat_field(field: &FieldRef) -> FieldRef {
    if is_flat(field.data_type()) {
        Arc::clone(field)
    } else {
        Arc::new(Field::new(field.name(), DataType::Utf8, field.is_nullable()))
    }
}

fn as_json(field: &FieldRef, column: &ArrayRef) -> Result<ArrayRef, Failure> {
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut encoder = make_encoder(field, column.as_ref(), &options)?;
    let mut texts = StringBuilder::new();
    let mut bytes = Vec::new();
    for row in 0..column.len() {
        if encoder.is_null(row) {
            texts.append_null();
            continue;
        }
        bytes.clear();
        encoder.encode(row, &mut bytes);
        texts.append_value(String::from_utf8_lossy(&bytes));
    }
    Ok(Arc::new(texts.finish()))
}

/// JSON, either as one array or one object a line.
struct Json<'a, F: JsonFormat> {
    writer: JsonWriter<&'a mut Target, F>,
    /// What the format's writer leaves out at the end.
    end: &'static [u8],
}

/// One JSON array.
pub fn json_array(out: &mut Target) -> Box<dyn ResultWriter + Send + '_> {
    let writer = JsonBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(out);
    Box::new(Json { writer, end: b"\n" })
}

/// One JSON object a line.
pub fn json_lines(out: &mut Target) -> Box<dyn ResultWriter + Send + '_> {
    let writer = JsonBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(out);
    Box::new(Json { writer, end: b"" })
}

impl<F: JsonFormat> ResultWriter for Json<'_, F> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        Ok(self.writer.write(batch)?)
    }

    fn finish(mut self: Box<Self>) -> Result<(), Failure> {
        self.writer.finish()?;
        Ok(self.writer.get_mut().write_all(self.end)?)
    }
}

/// One Parquet file, compressed with zstd.
pub struct Parquet<'a>(ArrowWriter<&'a mut Target>);

impl<'a> Parquet<'a> {
    pub fn new(out: &'a mut Target, schema: &SchemaRef) -> Result<Self, Failure> {
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        Ok(Self(ArrowWriter::try_new(out, Arc::clone(schema), Some(properties)).map_err(cannot_write)?))
    }
}

impl ResultWriter for Parquet<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.0.write(batch).map_err(cannot_write)
    }

    fn finish(self: Box<Self>) -> Result<(), Failure> {
        self.0.close().map(|_| ()).map_err(cannot_write)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err asks for")]
fn cannot_write(error: ParquetError) -> Failure {
    Failure::error(format!("cannot write Parquet: {error}"))
}
