//! Writes Parquet files whose row groups are bounded in bytes, not only in rows: one long text is as large as many short
//! ones.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, ArrowWriter, encode_arrow_schema};
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde::{Deserialize, Serialize};

use super::error::{JobError, Result};

/// Bytes in memory after which a row group is closed; several files are written at once.
pub const ROW_GROUP_BYTES: usize = 8 << 20;

/// Minimum size of a row group per column, in bytes: the metadata of each column of each row group is kept until the end of
/// the file.
const COLUMN_BYTES: usize = 48 << 10;

/// With more columns than this, memory per column beyond its values is minimised. A writer has an empty dictionary of 30 kB
/// per column; writers and readers have a codec, which takes 100 kB for zstd and nothing for LZ4; and metadata about pages
/// and values is kept until the end of the file.
const MANY_COLUMNS: usize = 64;

/// A file that was written.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct FileEntry {
    /// Name in its folder.
    pub name: String,
    /// Size.
    pub bytes: u64,
    /// Rows in it.
    pub rows: u64,
}

/// Writes one Parquet file; the file appears with the first row.
pub struct ParquetFile {
    path: PathBuf,
    schema: SchemaRef,
    properties: WriterProperties,
    group_bytes: usize,
    writer: Option<ArrowWriter<File>>,
    rows: u64,
}

impl ParquetFile {
    /// Creates a file at `path`. `text` names the column whose values rarely repeat, for which no dictionary is built.
    pub fn new(path: PathBuf, schema: SchemaRef, text: Option<&str>, compression: Compression) -> Self {
        let mut properties = WriterProperties::builder().set_compression(compression);
        if schema.fields().len() > MANY_COLUMNS {
            properties = properties
                .set_compression(Compression::LZ4_RAW)
                .set_dictionary_enabled(false)
                .set_statistics_enabled(EnabledStatistics::None)
                .set_offset_index_disabled(true);
        }
        if let Some(text) = text {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(text), false);
        }
        let properties = properties.build();
        Self { path, schema, properties, group_bytes: ROW_GROUP_BYTES, writer: None, rows: 0 }
    }

    /// Closes row groups once they take this many bytes of memory.
    pub fn with_group_bytes(self, group_bytes: usize) -> Self {
        Self { group_bytes, ..self }
    }

    /// Appends `batch`.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.rows += batch.num_rows() as u64;
        let group_bytes = self.group_bytes.max(self.schema.fields().len() * COLUMN_BYTES);
        let path = self.path.clone();
        let writer = self.open()?;
        writer.write(batch).map_err(|error| failed(&path, &error))?;
        if writer.memory_size() >= group_bytes {
            writer.flush().map_err(|error| failed(&path, &error))?;
        }
        Ok(())
    }

    /// Bytes in the file so far, without the open row group.
    pub fn bytes_written(&self) -> usize {
        self.writer.as_ref().map_or(0, ArrowWriter::bytes_written)
    }

    /// Bytes held in memory.
    pub fn memory_size(&self) -> usize {
        self.writer.as_ref().map_or(0, ArrowWriter::memory_size)
    }

    /// Creates the file even without rows, so that the folder has a schema.
    pub fn open(&mut self) -> Result<&mut ArrowWriter<File>> {
        if self.writer.is_none() {
            let file = File::create(&self.path).map_err(JobError::io("create", &self.path))?;
            // Views are a layout in memory; readers of the file see plain text and bytes.
            let options =
                ArrowWriterOptions::new().with_properties(self.properties.clone()).with_skip_arrow_metadata(true);
            let mut writer = ArrowWriter::try_new_with_options(file, Arc::clone(&self.schema), options)
                .map_err(|error| failed(&self.path, &error))?;
            let schema = encode_arrow_schema(&without_views(&self.schema));
            writer.append_key_value_metadata(KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), schema));
            self.writer = Some(writer);
        }
        self.writer.as_mut().ok_or_else(|| JobError::Other("the writer is closed".to_owned()))
    }

    /// Completes the file; `None` if there were no rows and [`Self::open`] was not called.
    pub fn finish(mut self) -> Result<Option<FileEntry>> {
        let Some(writer) = self.writer.take() else { return Ok(None) };
        writer.close().map_err(|error| failed(&self.path, &error))?;
        let bytes = self.path.metadata().map_err(JobError::io("read", &self.path))?.len();
        let name = self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Some(FileEntry { name, bytes, rows: self.rows }))
    }
}

fn failed(path: &Path, error: &parquet::errors::ParquetError) -> JobError {
    JobError::Other(format!("cannot write {}: {error}", path.display()))
}

/// The schema with plain text and bytes in place of views.
fn without_views(schema: &Schema) -> Schema {
    fn plain(field: &Arc<Field>) -> Arc<Field> {
        let kind = match field.data_type() {
            DataType::Utf8View => DataType::Utf8,
            DataType::BinaryView => DataType::Binary,
            DataType::List(inner) => DataType::List(plain(inner)),
            DataType::LargeList(inner) => DataType::LargeList(plain(inner)),
            DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain).collect()),
            other => other.clone(),
        };
        Arc::new(field.as_ref().clone().with_data_type(kind))
    }
    Schema::new_with_metadata(schema.fields().iter().map(plain).collect::<Vec<_>>(), schema.metadata().clone())
}
