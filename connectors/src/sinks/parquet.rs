//! Parquet files: row groups of a fixed size, several encoded at once, written in order.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use limpid_failpoints::fail_point;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use super::hashing::{PartFile, write_error};
use super::manifest::Part;
use super::options::{PartsWriter, WriteOptions};
use super::rows::value_bytes;

/// A row group ends at this many rows, even if they are small.
const GROUP_ROWS: usize = 128 << 10;

type Encoded = (usize, Vec<ArrowColumnChunk>);

/// Writes Parquet files.
pub(super) struct ParquetWriter {
    files: Files,
    encoder: Arc<Encoder>,
    /// Rows of the next row group, if several are encoded concurrently.
    chunks: Vec<RecordBatch>,
    /// The next row group, if one is encoded at a time.
    columns: Option<Vec<ArrowColumnWriter>>,
    rows: usize,
    bytes: usize,
    encoding: VecDeque<SpawnedTask<Result<Encoded, ParquetError>>>,
    concurrency: usize,
    group_bytes: usize,
}

impl ParquetWriter {
    pub(super) fn new(folder: &Path, schema: SchemaRef, options: &WriteOptions) -> Result<Self> {
        let mut files =
            Files { folder: folder.to_owned(), schema, limit: options.target_file_bytes, open: None, done: Vec::new() };
        let factory = files.open()?;
        let encoder = Arc::new(Encoder { schema: Arc::clone(&files.schema), factory });
        Ok(Self {
            files,
            encoder,
            chunks: Vec::new(),
            columns: None,
            rows: 0,
            bytes: 0,
            encoding: VecDeque::new(),
            concurrency: options.concurrency.max(1),
            group_bytes: options.row_group_bytes,
        })
    }

    /// Starts to encode the collected chunks as a row group.
    async fn end_group(mut self) -> Result<Self> {
        if let Some(columns) = self.columns.take() {
            let rows = self.rows;
            let close = SpawnedTask::spawn_blocking(move || Ok((rows, close(columns)?)));
            self.encoding.push_back(close);
            (self.rows, self.bytes) = (0, 0);
            return self.write_oldest().await;
        }
        if self.encoding.len() >= self.concurrency {
            self = self.write_oldest().await?;
        }
        let (chunks, encoder) = (std::mem::take(&mut self.chunks), Arc::clone(&self.encoder));
        self.encoding.push_back(SpawnedTask::spawn_blocking(move || encoder.encode(&chunks)));
        (self.rows, self.bytes) = (0, 0);
        Ok(self)
    }

    /// Encodes a chunk at once, so that the rows of the row group need not be kept.
    async fn encode(mut self, chunk: RecordBatch) -> Result<Self> {
        let (columns, encoder) = (self.columns.take(), Arc::clone(&self.encoder));
        let encoded = SpawnedTask::spawn_blocking(move || {
            let mut columns = columns.map_or_else(|| encoder.columns(), Ok)?;
            encoder.add(&mut columns, &chunk)?;
            Ok::<_, ParquetError>(columns)
        });
        let encoded = encoded.await.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))?;
        self.columns = Some(encoded.map_err(|e| write_error(&self.files.folder, &e))?);
        Ok(self)
    }

    async fn write_oldest(mut self) -> Result<Self> {
        let Some(task) = self.encoding.pop_front() else { return Ok(self) };
        let join = |e| DataFusionError::ExecutionJoin(Box::new(e));
        let encoded = task.await.map_err(join)?;
        let encoded = encoded.map_err(|e| write_error(&self.files.folder, &e))?;
        let files = self.files;
        self.files = SpawnedTask::spawn_blocking(move || files.append(encoded)).await.map_err(join)??;
        Ok(self)
    }
}

impl PartsWriter for ParquetWriter {
    async fn write(mut self, chunk: RecordBatch) -> Result<Self> {
        self.rows += chunk.num_rows();
        self.bytes += value_bytes(&chunk);
        if self.concurrency == 1 {
            self = self.encode(chunk).await?;
        } else {
            self.chunks.push(chunk);
        }
        if self.rows >= GROUP_ROWS || self.bytes >= self.group_bytes { self.end_group().await } else { Ok(self) }
    }

    async fn finish(mut self) -> Result<Vec<Part>> {
        if self.rows > 0 {
            self = self.end_group().await?;
        }
        while !self.encoding.is_empty() {
            self = self.write_oldest().await?;
        }
        let files = self.files;
        SpawnedTask::spawn_blocking(move || files.finish())
            .await
            .map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))?
    }
}

/// Encodes row groups, independently of the file that they go to.
struct Encoder {
    schema: SchemaRef,
    factory: ArrowRowGroupWriterFactory,
}

impl Encoder {
    fn encode(&self, chunks: &[RecordBatch]) -> Result<Encoded, ParquetError> {
        let mut columns = self.columns()?;
        for chunk in chunks {
            self.add(&mut columns, chunk)?;
        }
        Ok((chunks.iter().map(RecordBatch::num_rows).sum(), close(columns)?))
    }

    fn columns(&self) -> Result<Vec<ArrowColumnWriter>, ParquetError> {
        self.factory.create_column_writers(0)
    }

    fn add(&self, columns: &mut [ArrowColumnWriter], chunk: &RecordBatch) -> Result<(), ParquetError> {
        let mut writers = columns.iter_mut();
        for (field, column) in self.schema.fields().iter().zip(chunk.columns()) {
            for leaf in compute_leaves(field, column)? {
                let writer = writers.next().ok_or_else(|| ParquetError::General("too few columns".to_owned()))?;
                writer.write(&leaf)?;
            }
        }
        Ok(())
    }
}

fn close(columns: Vec<ArrowColumnWriter>) -> Result<Vec<ArrowColumnChunk>, ParquetError> {
    columns.into_iter().map(ArrowColumnWriter::close).collect()
}

/// The files of a result, one open at a time.
struct Files {
    folder: PathBuf,
    schema: SchemaRef,
    limit: u64,
    open: Option<(SerializedFileWriter<PartFile>, u64)>,
    done: Vec<Part>,
}

impl Files {
    fn path(&self) -> PathBuf {
        self.folder.join(format!("part-{:05}.parquet", self.done.len()))
    }

    fn open(&mut self) -> Result<ArrowRowGroupWriterFactory> {
        let path = self.path();
        let file = PartFile::create(path.clone())?;
        let level = ZstdLevel::try_new(3).map_err(|e| write_error(&path, &e))?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
        let writer = ArrowWriter::try_new(file, Arc::clone(&self.schema), Some(properties));
        let writer = writer.and_then(ArrowWriter::into_serialized_writer);
        let (writer, factory) = writer.map_err(|e| write_error(&path, &e))?;
        self.open = Some((writer, 0));
        Ok(factory)
    }

    fn append(mut self, (rows, columns): Encoded) -> Result<Self> {
        if self.open.is_none() {
            self.open()?;
        }
        let path = self.path();
        let (writer, total) = self.open.as_mut().ok_or_else(|| internal_datafusion_err!("no open file"))?;
        let append = || -> Result<u64, ParquetError> {
            let mut group = writer.next_row_group()?;
            for column in columns {
                column.append_to_row_group(&mut group)?;
            }
            group.close()?;
            Ok(writer.bytes_written() as u64)
        };
        let written = append().map_err(|e| write_error(&path, &e))?;
        *total += rows as u64;
        if written >= self.limit {
            self.close()?;
        }
        Ok(self)
    }

    fn close(&mut self) -> Result<()> {
        let path = self.path();
        if let Some((writer, rows)) = self.open.take() {
            let file = writer.into_inner().map_err(|e| write_error(&path, &e))?;
            self.done.push(file.finish(rows)?);
            fail_point!("sink::part-written");
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Part>> {
        self.close()?;
        Ok(self.done)
    }
}
