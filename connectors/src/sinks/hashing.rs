//! A file that computes its length and hash while it is written.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use xxhash_rust::xxh3::Xxh3Default;

use super::manifest::Part;

/// Counts and hashes bytes on their way to a file of the staging folder.
pub(super) struct PartFile {
    path: PathBuf,
    file: BufWriter<File>,
    hash: Xxh3Default,
    bytes: u64,
}

impl PartFile {
    pub(super) fn create(path: PathBuf) -> Result<Self> {
        let file = File::create(&path).map_err(|e| write_error(&path, &e))?;
        Ok(Self { path, file: BufWriter::with_capacity(1 << 20, file), hash: Xxh3Default::new(), bytes: 0 })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Syncs the file to disk.
    pub(super) fn finish(self, rows: u64) -> Result<Part> {
        let Self { path, file, hash, bytes } = self;
        let synced =
            file.into_inner().map_err(std::io::IntoInnerError::into_error).and_then(|file| limpid_io::sync_file(&file));
        synced.map_err(|e| write_error(&path, &e))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Part { name, rows, bytes, xxh3_128: format!("{:032x}", hash.digest128()) })
    }
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// The error for a failed write.
pub(super) fn write_error(path: &Path, error: &dyn std::fmt::Display) -> DataFusionError {
    exec_datafusion_err!("cannot write {}: {error}", path.display())
}
