//! Standard output, or a file that appears when it is complete.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use limpid_io::NewFile;

use crate::cli::errors::Failure;

/// Bytes gathered before they are written.
const BUFFER: usize = 1 << 16;

/// Where results go.
pub struct Target {
    sink: Sink,
    closed: bool,
}

enum Sink {
    /// Standard output, or something at a path that is no regular file.
    Open(BufWriter<Box<dyn Write + Send>>),
    /// A new file beside the place it will have.
    File(BufWriter<NewFile>, PathBuf),
}

impl Target {
    /// The file, or standard output without one.
    pub fn open(file: Option<&Path>) -> Result<Self, Failure> {
        let sink = match file {
            None => Sink::Open(BufWriter::with_capacity(BUFFER, Box::new(io::stdout()))),
            // A pipe or a device takes the bytes as they come.
            Some(path) if path.metadata().is_ok_and(|m| !m.is_file() && !m.is_dir()) => {
                let opened = OpenOptions::new().write(true).open(path).map_err(|e| cannot_write(path, &e))?;
                Sink::Open(BufWriter::with_capacity(BUFFER, Box::new(opened)))
            }
            Some(path) if path.is_dir() => {
                return Err(Failure::error(format!("cannot write {}: it is a folder", path.display())));
            }
            Some(path) => {
                let file = NewFile::create(path).map_err(|e| cannot_write(path, &e))?;
                Sink::File(BufWriter::with_capacity(BUFFER, file), path.to_owned())
            }
        };
        Ok(Self { sink, closed: false })
    }

    /// Whether this is a file that keeps what is written.
    pub fn is_file(&self) -> bool {
        matches!(self.sink, Sink::File(..))
    }

    /// Whether who read the output has gone.
    pub fn closed(&self) -> bool {
        self.closed
    }

    /// Gives a file its name.
    pub fn commit(self) -> Result<(), Failure> {
        match self.sink {
            Sink::Open(mut out) => Ok(out.flush()?),
            Sink::File(out, path) => {
                let file = out.into_inner().map_err(|e| cannot_write(&path, e.error()))?;
                file.commit().map_err(|e| cannot_write(&path, &e))
            }
        }
    }

    /// Notes a reader that has gone; names the file in any other error.
    fn watch<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        self.closed |= result.as_ref().is_err_and(|e| e.kind() == ErrorKind::BrokenPipe);
        match &self.sink {
            Sink::File(_, path) => {
                result.map_err(|e| io::Error::new(e.kind(), format!("cannot write {}: {e}", path.display())))
            }
            Sink::Open(_) => result,
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = match &mut self.sink {
            Sink::Open(out) => out.write(bytes),
            Sink::File(out, _) => out.write(bytes),
        };
        self.watch(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = match &mut self.sink {
            Sink::Open(out) => out.flush(),
            Sink::File(out, _) => out.flush(),
        };
        self.watch(result)
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::error(format!("cannot write {}: {error}", path.display()))
}
