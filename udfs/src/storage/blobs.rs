//! Byte strings that are appended once and read at random.
//!
//! Beyond a small buffer they are in a temporary file, cached by the operating system's page cache. The resident memory of
//! the process does not grow with them.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SpillFile, SpillWriter};

/// Bytes that are buffered before they are written to the file. A smaller store never creates a file.
const BUFFER: usize = 1 << 20;

/// The writing side of a store of byte strings.
pub struct BlobWriter {
    env: Arc<RuntimeEnv>,
    label: &'static str,
    buffer: Vec<u8>,
    flushed: u64,
    file: Option<Open>,
}

/// A spill file, its writing end and its reading end.
type Open = (Arc<dyn SpillFile>, Box<dyn SpillWriter>, File);

impl BlobWriter {
    /// Creates an empty store; `label` names it in errors.
    pub fn new(label: &'static str, env: &Arc<RuntimeEnv>) -> Self {
        Self { env: Arc::clone(env), label, buffer: vec![], flushed: 0, file: None }
    }

    /// Appends `bytes` and returns where they start.
    pub fn append(&mut self, bytes: &[u8]) -> Result<u64> {
        let offset = self.flushed + self.buffer.len() as u64;
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        if bytes.len() > BUFFER {
            self.write(bytes)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(offset)
    }

    /// Fills `out` from position `offset`, within what was appended so far.
    pub fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        match (&self.file, offset.checked_sub(self.flushed)) {
            (_, Some(offset)) => copy(&self.buffer, offset, out),
            (Some((.., reader)), None) => Ok(read_exact_at(reader, out, offset)?),
            (None, None) => exec_err!("read before the kept bytes"),
        }
    }

    /// Ends writing.
    pub fn finish(mut self) -> Result<Blobs> {
        if self.file.is_none() {
            return Ok(Blobs::Memory(self.buffer));
        }
        self.flush()?;
        let Some((file, mut writer, reader)) = self.file.take() else {
            return Ok(Blobs::Memory(self.buffer));
        };
        writer.finish()?;
        Ok(Blobs::File { reader, _file: file })
    }

    fn flush(&mut self) -> Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        if !buffer.is_empty() {
            self.write(&buffer)?;
        }
        self.buffer = buffer;
        self.buffer.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.file.is_none() {
            let file = self.env.disk_manager.create_tmp_file(self.label)?;
            let writer = file.open_writer()?;
            let reader = open(&file, self.label)?;
            self.file = Some((file, writer, reader));
        }
        if let Some((_, writer, _)) = &mut self.file {
            writer.write_all(bytes).map_err(|e| spill_error(self.label, e))?;
            self.flushed += bytes.len() as u64;
        }
        Ok(())
    }
}

/// The reading side, which threads can share.
pub enum Blobs {
    /// Everything fitted into the buffer.
    Memory(Vec<u8>),
    /// A temporary file, deleted when this value is dropped.
    File {
        /// The open file.
        reader: File,
        /// Keeps the file on disk.
        _file: Arc<dyn SpillFile>,
    },
}

impl Blobs {
    /// Fills `out` from position `offset`.
    pub fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        match self {
            Self::Memory(bytes) => copy(bytes, offset, out),
            Self::File { reader, .. } => Ok(read_exact_at(reader, out, offset)?),
        }
    }
}

fn copy(bytes: &[u8], offset: u64, out: &mut [u8]) -> Result<()> {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let found = bytes.get(start..).and_then(|rest| rest.get(..out.len()));
    out.copy_from_slice(found.ok_or_else(|| exec_datafusion_err!("read beyond the kept bytes"))?);
    Ok(())
}

/// Opens a spill file for reading.
pub(super) fn open(file: &Arc<dyn SpillFile>, label: &str) -> Result<File> {
    Ok(File::open(local(file, label)?)?)
}

/// Opens a spill file for reading and overwriting.
pub(super) fn open_to_change(file: &Arc<dyn SpillFile>, label: &str) -> Result<File> {
    Ok(File::options().read(true).write(true).open(local(file, label)?)?)
}

fn local<'a>(file: &'a Arc<dyn SpillFile>, label: &str) -> Result<&'a Path> {
    file.path().ok_or_else(|| exec_datafusion_err!("{label} needs spill files on a local disk"))
}

/// Explains a failed write to the user: almost always, the disk is full.
pub(super) fn spill_error(label: &str, error: std::io::Error) -> DataFusionError {
    DataFusionError::from(error).context(format!("writing temporary files of {label}"))
}

#[cfg(unix)]
pub(super) fn read_exact_at(file: &File, out: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, offset)
}

#[cfg(windows)]
pub(super) fn read_exact_at(file: &File, mut out: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !out.is_empty() {
        let n = file.seek_read(out, offset)?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        out = &mut out[n..];
        offset += n as u64;
    }
    Ok(())
}

#[cfg(unix)]
pub(super) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
pub(super) fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> std::io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !bytes.is_empty() {
        let n = file.seek_write(bytes, offset)?;
        if n == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[n..];
        offset += n as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_appended_is_read_back_from_memory_and_from_disk() {
        for count in [3_usize, 3000] {
            let env = Arc::new(RuntimeEnv::default());
            let mut writer = BlobWriter::new("test", &env);
            let blob = |i: usize| vec![i as u8; 17 + (i * 7919) % 4000];
            let offsets: Vec<u64> = (0..count).map(|i| writer.append(&blob(i)).unwrap()).collect();
            let big = vec![7_u8; 3 * BUFFER];
            let big_offset = (count > 3).then(|| writer.append(&big).unwrap());
            let blobs = writer.finish().unwrap();
            assert_eq!(matches!(blobs, Blobs::File { .. }), count > 3);
            for (i, &offset) in offsets.iter().enumerate().rev() {
                let mut out = vec![0; blob(i).len()];
                blobs.read(offset, &mut out).unwrap();
                assert_eq!(out, blob(i));
            }
            if let Some(offset) = big_offset {
                let mut out = vec![0; big.len()];
                blobs.read(offset, &mut out).unwrap();
                assert_eq!(out, big);
            }
            assert!(blobs.read(u64::MAX / 2, &mut [0; 8]).is_err());
        }
    }
}
