//! Files of lines: JSON lines, CSV and TSV, plain or compressed.

use std::io::Write;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use limpid_failpoints::fail_point;

use super::hashing::{PartFile, write_error};
use super::manifest::Part;
use super::options::{PartsWriter, WriteOptions};
use super::rows::value_bytes;
use crate::sinks::encode::{Compressor, LinesEncoder, WriteKind};

/// Chunks are passed to the writing thread in loads of this many rows ...
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
    pub(super) fn new(folder: &Path, schema: &Schema, options: &WriteOptions) -> Result<Self> {
        let mut files = Files {
            folder: folder.to_owned(),
            kind: options.format,
            encoder: LinesEncoder::new(options.format.format, schema)?,
            limit: options.target_file_bytes,
            open: None,
            rows: 0,
            done: Vec::new(),
        };
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
    kind: WriteKind,
    encoder: LinesEncoder,
    limit: u64,
    open: Option<Compressor<PartFile>>,
    rows: u64,
    done: Vec<Part>,
}

impl Files {
    fn path(&self) -> PathBuf {
        self.folder.join(format!("part-{:05}.{}", self.done.len(), self.kind))
    }

    fn open(&mut self) -> Result<()> {
        let path = self.path();
        let file = PartFile::create(path.clone())?;
        let mut encoder = Compressor::new(file, self.kind.compression).map_err(|e| write_error(&path, &e))?;
        encoder.write_all(self.encoder.header()).map_err(|e| write_error(&path, &e))?;
        self.open = Some(encoder);
        Ok(())
    }

    fn append(mut self, chunks: &[RecordBatch]) -> Result<Self> {
        for chunk in chunks {
            if self.open.is_none() {
                self.open()?;
            }
            let path = self.path();
            let file = self.open.as_mut().ok_or_else(|| internal_datafusion_err!("no open file"))?;
            self.encoder.write(chunk, file).map_err(|error| match error {
                DataFusionError::IoError(e) => write_error(&path, &e),
                error => error,
            })?;
            self.rows += chunk.num_rows() as u64;
            if file.get_ref().bytes() >= self.limit {
                self.close()?;
            }
        }
        Ok(self)
    }

    fn close(&mut self) -> Result<()> {
        let path = self.path();
        if let Some(file) = self.open.take() {
            let file = file.finish().map_err(|e| write_error(&path, &e))?;
            self.done.push(file.finish(std::mem::take(&mut self.rows))?);
            fail_point!("sink::part-written");
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Part>> {
        self.close()?;
        Ok(self.done)
    }
}
