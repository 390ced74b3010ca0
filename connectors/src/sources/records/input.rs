//! Reads a file as UTF-8: decompressed, decoded, without a byte order mark.

use std::io::{self, BufReader, Chain, Cursor, Read, Seek, SeekFrom};
use std::sync::Arc;

use datafusion::common::parsers::CompressionTypeVariant;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, plan_err};
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::execution::object_store::ObjectStoreUrl;
use encoding_rs::{Decoder, Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::RecordOptions;
use crate::compression::Compression;
use crate::sources::files::Content;
use crate::sources::files::place::display_path;

/// Bytes per request to a remote store.
const REQUEST: u64 = 8 << 20;
/// Largest accepted zstd window (`zstd --long=31`), which bounds the memory that one file may need.
const ZSTD_WINDOW_LOG: u32 = 31;
/// Number of bytes examined for compression and byte order mark.
const MAGIC: usize = 8;

/// Encodings of text files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Charset {
    /// UTF-8; other bytes are errors.
    Utf8,
    /// ISO 8859-1: every byte is the code point of its character.
    Latin1,
    /// Windows-1252: Latin-1 with letters and signs in place of most of its upper control characters.
    Windows1252,
    /// UTF-16, little endian.
    Utf16Le,
    /// UTF-16, big endian.
    Utf16Be,
}

impl Charset {
    /// The encoding that a user calls `name`.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        let plain: String = name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        Ok(match plain.as_str() {
            "utf8" => Self::Utf8,
            "latin1" | "iso88591" | "l1" => Self::Latin1,
            "windows1252" | "cp1252" | "ansi" => Self::Windows1252,
            "utf16" | "utf16le" => Self::Utf16Le,
            "utf16be" => Self::Utf16Be,
            _ => {
                return plan_err!(
                    "option encoding is '{name}': allowed are 'utf-8', 'latin1', 'windows-1252', 'utf-16le' and 'utf-16be'"
                );
            }
        })
    }

    fn decoder(self) -> Option<Decoder> {
        let encoding: &'static Encoding = match self {
            Self::Utf8 | Self::Latin1 => return None,
            Self::Windows1252 => WINDOWS_1252,
            Self::Utf16Le => UTF_16LE,
            Self::Utf16Be => UTF_16BE,
        };
        Some(encoding.new_decoder_without_bom_handling())
    }
}

/// A store of files: the local file system, which is read directly, or any other.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    inner: Arc<dyn ObjectStore>,
    url: ObjectStoreUrl,
    local: bool,
    runtime: Option<Handle>,
}

impl Store {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, url: &ObjectStoreUrl) -> Self {
        // Another store may have been registered under file://, so check its name.
        let local = url.as_str() == "file:///" && inner.to_string().starts_with("LocalFileSystem");
        Self { inner, url: url.clone(), local, runtime: Handle::try_current().ok() }
    }

    /// The path of the file as users write it.
    pub(crate) fn path(&self, location: &ObjectPath) -> String {
        display_path(&self.url, location)
    }

    /// Whether reading part of a file again costs almost nothing.
    pub(crate) fn is_local(&self) -> bool {
        self.local
    }

    /// The raw bytes of a file of `size` bytes from `start` on.
    pub(crate) fn bytes(&self, location: &ObjectPath, size: u64, start: u64) -> Result<Box<dyn Read + Send>> {
        let path = self.path(location);
        if self.local {
            let open = || {
                let mut file = std::fs::File::open(&path)?;
                file.seek(SeekFrom::Start(start))?;
                Ok(file)
            };
            return open().map(|file| Box::new(file) as _).map_err(|e: io::Error| cannot_read(&path, &e));
        }
        let runtime = self.runtime.clone().or_else(|| Handle::try_current().ok());
        let runtime = runtime.ok_or_else(|| exec_datafusion_err!("{path} cannot be read outside of a runtime"))?;
        let (inner, location) = (Arc::clone(&self.inner), location.clone());
        Ok(Box::new(Requests { inner, location, runtime, position: start, size, held: Cursor::default() }))
    }
}

pub(crate) fn cannot_read(path: &str, error: &dyn std::error::Error) -> DataFusionError {
    exec_datafusion_err!("cannot read {path}: {error}")
}

/// A file in a remote store, read by one request after another, on a blocking thread.
struct Requests {
    inner: Arc<dyn ObjectStore>,
    location: ObjectPath,
    runtime: Handle,
    position: u64,
    size: u64,
    held: Cursor<bytes::Bytes>,
}

impl Read for Requests {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.held.read(out)?;
        if read > 0 || self.position >= self.size || out.is_empty() {
            return Ok(read);
        }
        let end = self.size.min(self.position + REQUEST);
        let request = self.inner.get_range(&self.location, self.position..end);
        self.held = Cursor::new(self.runtime.block_on(request).map_err(io::Error::other)?);
        self.position = end;
        self.held.read(out)
    }
}

/// How the bytes of a file are converted to UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Coding {
    pub compression: Compression,
    pub charset: Charset,
    /// Bytes of the byte order mark.
    pub mark: u64,
}

impl Coding {
    /// Whether positions in the text equal positions in the file.
    pub(crate) fn is_plain(self) -> bool {
        self.compression == Compression::None && self.charset == Charset::Utf8
    }
}

/// Opens a file from its beginning.
pub(crate) fn open(
    store: &Store,
    location: &ObjectPath,
    size: u64,
    options: &RecordOptions,
) -> Result<(Box<dyn Read + Send>, Coding)> {
    let path = store.path(location);
    let failed = |e: io::Error| cannot_read(&path, &e);
    let (head, raw) = peek(store.bytes(location, size, 0)?).map_err(failed)?;
    refuse_other_formats(&path, &head)?;
    let compression = options.compression.unwrap_or_else(|| compression_of(&head));
    let decompressed: Box<dyn Read + Send> = match compression {
        Compression::None => Box::new(raw),
        _ if head.is_empty() => Box::new(raw),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::new(raw).map_err(failed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(failed)?;
            Box::new(decoder)
        }
        Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(raw)),
        Compression::Bzip2 => datafusion_decoder(CompressionTypeVariant::BZIP2, raw)?,
        Compression::Xz => datafusion_decoder(CompressionTypeVariant::XZ, raw)?,
    };
    let (head, text) = peek(decompressed).map_err(failed)?;
    refuse_other_formats(&path, &head)?;
    let (marked, mark) = match head.as_slice() {
        [0xEF, 0xBB, 0xBF, ..] => (Some(Charset::Utf8), 3),
        [0xFF, 0xFE, ..] => (Some(Charset::Utf16Le), 2),
        [0xFE, 0xFF, ..] => (Some(Charset::Utf16Be), 2),
        _ => (None, 0),
    };
    // A byte order mark takes precedence over an option: Latin-1 files do not start with one.
    let charset = marked.or(options.encoding).unwrap_or(Charset::Utf8);
    let coding = Coding { compression, charset, mark: u64::try_from(mark).unwrap_or(0) };
    let mut text = text;
    let mut dropped = [0; 3];
    text.read_exact(dropped.get_mut(..mark).unwrap_or_default()).map_err(failed)?;
    let reader: Box<dyn Read + Send> = match charset {
        Charset::Utf8 => Box::new(text),
        Charset::Latin1 => Box::new(Recoded::new(text, None)),
        other => Box::new(Recoded::new(text, other.decoder())),
    };
    Ok((reader, coding))
}

/// Parquet, Arrow and similar formats are not text, even if their bytes happen to be valid UTF-8.
fn refuse_other_formats(path: &str, head: &[u8]) -> Result<()> {
    match Content::by_magic(head) {
        Some(Content::Parquet) => plan_err!("{path} is Parquet, whatever its name says: use read_parquet('{path}')"),
        Some(Content::Foreign(name)) => plan_err!("{path} is {name}, which limpid does not read"),
        _ => Ok(()),
    }
}

fn datafusion_decoder<R: Read + Send + 'static>(kind: CompressionTypeVariant, raw: R) -> Result<Box<dyn Read + Send>> {
    FileCompressionType::from(kind).convert_read(raw).map(|reader| Box::new(reader) as _)
}

fn compression_of(head: &[u8]) -> Compression {
    match head {
        [0x1F, 0x8B, ..] => Compression::Gzip,
        [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Compression::Zstd,
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, ..] => {
            Compression::Bzip2
        }
        [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
        _ => Compression::None,
    }
}

type Peeked<R> = Chain<Cursor<Vec<u8>>, R>;

fn peek<R: Read + Send>(mut reader: R) -> io::Result<(Vec<u8>, Peeked<R>)> {
    let mut head = vec![0; MAGIC];
    let read = fill(&mut reader, &mut head)?;
    head.truncate(read);
    Ok((head.clone(), Cursor::new(head).chain(reader)))
}

/// Reads until `out` is full or the input ends.
pub(crate) fn fill(reader: &mut dyn Read, out: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while let Some(space) = out.get_mut(read..).filter(|space| !space.is_empty()) {
        match reader.read(space) {
            Ok(0) => break,
            Ok(n) => read += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(read)
}

/// Text converted from another encoding to UTF-8. Without a decoder it is Latin-1.
struct Recoded<R> {
    inner: BufReader<R>,
    decoder: Option<Decoder>,
    ready: Vec<u8>,
    given: usize,
    done: bool,
}

impl<R: Read> Recoded<R> {
    fn new(inner: R, decoder: Option<Decoder>) -> Self {
        Self { inner: BufReader::with_capacity(64 << 10, inner), decoder, ready: Vec::new(), given: 0, done: false }
    }

    fn refill(&mut self) -> io::Result<()> {
        use std::io::BufRead;
        self.ready.clear();
        self.given = 0;
        let input = self.inner.fill_buf()?;
        let length = input.len();
        let last = length == 0;
        match &mut self.decoder {
            None => {
                for &byte in input {
                    match byte {
                        0..=0x7F => self.ready.push(byte),
                        _ => self.ready.extend([0xC0 | (byte >> 6), 0x80 | (byte & 0x3F)]),
                    }
                }
                self.inner.consume(length);
            }
            Some(decoder) => {
                let space = decoder.max_utf8_buffer_length_without_replacement(length).unwrap_or(4 * length + 16);
                self.ready.resize(space, 0);
                let (result, read, written) = decoder.decode_to_utf8_without_replacement(input, &mut self.ready, last);
                self.ready.truncate(written);
                self.inner.consume(read);
                if let encoding_rs::DecoderResult::Malformed(..) = result {
                    // A byte that UTF-8 never contains, so that the record with the undecodable bytes is reported.
                    self.ready.push(0xFF);
                    return Ok(());
                }
            }
        }
        self.done = last;
        Ok(())
    }
}

impl<R: Read> Read for Recoded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given >= self.ready.len() && !self.done {
            self.refill()?;
        }
        let rest = self.ready.get(self.given..).unwrap_or_default();
        let count = rest.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recode(bytes: &[u8], charset: Charset) -> Vec<u8> {
        let mut out = Vec::new();
        Recoded::new(bytes, charset.decoder()).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn other_encodings_become_utf8() {
        assert_eq!(recode(b"caf\xe9 \x80", Charset::Latin1), "caf\u{e9} \u{80}".as_bytes());
        assert_eq!(recode(b"caf\xe9 \x80", Charset::Windows1252), "caf\u{e9} €".as_bytes());
        let text: String = "a😀é\n".repeat(40_000);
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(recode(&little, Charset::Utf16Le), text.as_bytes());
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(recode(&big, Charset::Utf16Be), text.as_bytes());
    }

    #[test]
    fn a_lone_surrogate_is_no_utf8() {
        assert!(String::from_utf8(recode(&[0x61, 0, 0x3D, 0xD8, 0x62, 0], Charset::Utf16Le)).is_err());
    }

    #[test]
    fn magic_bytes() {
        assert_eq!(compression_of(b"BZh91AY&"), Compression::Bzip2);
        assert_eq!(compression_of(b"BZhello,"), Compression::None);
        assert_eq!(compression_of(&[0x5E, 0x2A, 0x4D, 0x18, 0, 0]), Compression::Zstd);
        assert_eq!(compression_of(b""), Compression::None);
    }
}
