//! Compression of a whole file while it is written.

use std::io::{self, Write};

use flate2::write::GzEncoder;

use crate::compression::Compression;

/// As in Parquet files.
const ZSTD_LEVEL: i32 = 3;

/// Compresses what is written to it.
pub enum Compressor<W: Write> {
    /// Not at all.
    Plain(W),
    /// With gzip.
    Gzip(GzEncoder<W>),
    /// With zstd.
    Zstd(zstd::Encoder<'static, W>),
}

impl<W: Write> Compressor<W> {
    /// Creates a compressor that writes to `inner`.
    ///
    /// # Errors
    /// limpid does not write this compression.
    pub fn new(inner: W, compression: Compression) -> io::Result<Self> {
        match compression {
            Compression::None => Ok(Self::Plain(inner)),
            Compression::Gzip => Ok(Self::Gzip(GzEncoder::new(inner, flate2::Compression::default()))),
            Compression::Zstd => zstd::Encoder::new(inner, ZSTD_LEVEL).map(Self::Zstd),
            Compression::Bzip2 | Compression::Xz => {
                Err(io::Error::new(io::ErrorKind::Unsupported, "files are written plain, .gz or .zst only"))
            }
        }
    }

    /// The underlying writer.
    pub fn get_ref(&self) -> &W {
        match self {
            Self::Plain(inner) => inner,
            Self::Gzip(encoder) => encoder.get_ref(),
            Self::Zstd(encoder) => encoder.get_ref(),
        }
    }

    /// Ends the compressed stream.
    ///
    /// # Errors
    /// Writing fails.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(inner) => Ok(inner),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(inner) => inner.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(inner) => inner.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}
