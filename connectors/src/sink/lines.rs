//! JSON Lines and CSV files, plain or compressed.

use std::io::Write;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::csv;
use arrow::datatypes::SchemaRef;
use arrow::json::writer::{LineDelimited, WriterBuilder};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err, not_impl_err};
use flate2::write::GzEncoder;

use super::hashing::{PartFile, write_error};
use super::manifest::Part;
use super::rows::value_bytes;
use super::staging::crash_point;
use super::write::{PartsWriter, SinkFormat, WriteOptions};
use crate::url_table::Compression;

/// As in Parquet files.
const ZSTD_LEVEL: i32 = 3;
/// Chunks are handed to the writing thread in loads of so many rows ...
const LOAD_ROWS: usize = 4096;
/// ... or bytes.
const LOAD_BYTES: usize = 8 << 20;

/// Writes files of lines.
pub(super) struct LinesWriter {
    files: Files,
    load: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl LinesWriter {
    pub(super) fn new(folder: &Path, schema: SchemaRef, options: &WriteOptions) -> Result<Self> {
        let (folder, format) = (folder.to_owned(), options.format);
        let mut files =
            Files { folder, schema, format, limit: options.target_file_bytes, open: None, rows: 0, done: Vec::new() };
        files.open()?;
        Ok(Self { files, load: Vec::new(), rows: 0, bytes: 0 })
    }

    async fn flush(mut self) -> Result<Self> {
        let (load, files) = (std::mem::take(&mut self.load), self.files);
        (self.rows, self.bytes) = (0, 0);
        self.files = SpawnedTask::spawn_blocking(move || files.append(&load))
            .await
            .map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))??;
        Ok(self)
    }
}

impl PartsWriter for LinesWriter {
    async fn write(mut self, chunk: RecordBatch) -> Result<Self> {
        self.rows += chunk.num_rows();
        self.bytes += value_bytes(&chunk);
        self.load.push(chunk);
        if self.rows >= LOAD_ROWS || self.bytes >= LOAD_BYTES { self.flush().await } else { Ok(self) }
    }

    async fn finish(mut self) -> Result<Vec<Part>> {
        self = self.flush().await?;
        let files = self.files;
        SpawnedTask::spawn_blocking(move || files.finish())
            .await
            .map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))?
    }
}

/// The files of a result, one open at a time.
struct Files {
    folder: PathBuf,
    schema: SchemaRef,
    format: SinkFormat,
    limit: u64,
    open: Option<Encoder>,
    rows: u64,
    done: Vec<Part>,
}

impl Files {
    fn path(&self) -> PathBuf {
        self.folder.join(format!("part-{:05}.{}", self.done.len(), self.format))
    }

    fn open(&mut self) -> Result<()> {
        let path = self.path();
        let file = PartFile::create(path.clone())?;
        let (SinkFormat::Jsonl(compression) | SinkFormat::Csv(compression)) = self.format else {
            return Err(internal_datafusion_err!("{} is not a format of lines", self.format));
        };
        let mut encoder = Encoder::new(file, compression)?;
        if matches!(self.format, SinkFormat::Csv(_)) {
            let mut writer = csv::WriterBuilder::new().with_header(true).build(&mut encoder);
            let empty = RecordBatch::new_empty(self.schema.clone());
            writer.write(&empty).map_err(|e| write_error(&path, &e))?;
        }
        self.open = Some(encoder);
        Ok(())
    }

    fn append(mut self, chunks: &[RecordBatch]) -> Result<Self> {
        for chunk in chunks {
            if self.open.is_none() {
                self.open()?;
            }
            let path = self.path();
            let encoder = self.open.as_mut().ok_or_else(|| internal_datafusion_err!("no open file"))?;
            // Formatted apart, so that what the compressor gets does not depend on how the formatter writes.
            let mut lines = Vec::new();
            let formatted = match self.format {
                SinkFormat::Csv(_) => csv::WriterBuilder::new().with_header(false).build(&mut lines).write(chunk),
                _ => {
                    let builder = WriterBuilder::new().with_explicit_nulls(true);
                    let mut writer = builder.build::<_, LineDelimited>(&mut lines);
                    writer.write(chunk).and_then(|()| writer.finish())
                }
            };
            formatted.map_err(|e| write_error(&path, &e))?;
            encoder.write_all(&lines).map_err(|e| write_error(&path, &e))?;
            self.rows += chunk.num_rows() as u64;
            if encoder.bytes() >= self.limit {
                self.close()?;
            }
        }
        Ok(self)
    }

    fn close(&mut self) -> Result<()> {
        let path = self.path();
        if let Some(encoder) = self.open.take() {
            let file = encoder.finish().map_err(|e| write_error(&path, &e))?;
            self.done.push(file.finish(std::mem::take(&mut self.rows))?);
            crash_point("part");
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Part>> {
        self.close()?;
        Ok(self.done)
    }
}

enum Encoder {
    Plain(PartFile),
    Gzip(GzEncoder<PartFile>),
    Zstd(zstd::Encoder<'static, PartFile>),
}

impl Encoder {
    fn new(file: PartFile, compression: Compression) -> Result<Self> {
        match compression {
            Compression::None => Ok(Self::Plain(file)),
            Compression::Gzip => Ok(Self::Gzip(GzEncoder::new(file, flate2::Compression::default()))),
            Compression::Zstd => {
                let path = file.path().to_owned();
                zstd::Encoder::new(file, ZSTD_LEVEL).map(Self::Zstd).map_err(|e| write_error(&path, &e))
            }
            Compression::Bzip2 | Compression::Xz => not_impl_err!("files are written plain, .gz or .zst only"),
        }
    }

    /// Bytes that have reached the file.
    fn bytes(&self) -> u64 {
        match self {
            Self::Plain(file) => file.bytes(),
            Self::Gzip(encoder) => encoder.get_ref().bytes(),
            Self::Zstd(encoder) => encoder.get_ref().bytes(),
        }
    }

    fn finish(self) -> std::io::Result<PartFile> {
        match self {
            Self::Plain(file) => Ok(file),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl Write for Encoder {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}
