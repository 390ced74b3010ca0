//! What a format is called, and which format a file has by its name.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Serialize, Serializer};

use super::content::Content;
use crate::compression::Compression;

/// What a format and its files are called.
#[derive(Debug)]
pub struct FormatInfo {
    /// Its name in SQL and in messages.
    pub name: &'static str,
    /// Its names in options and job files, in lower case; the first is the one that is written.
    pub words: &'static [&'static str],
    /// The endings of its files, in lower case and without the dot.
    pub endings: &'static [&'static str],
    /// Whether whole files may be compressed, each in its own way.
    pub compressed: bool,
    /// The first bytes that every file of the format has, whatever its name.
    pub signature: Option<Content>,
    /// The content by which a file without a telling name is recognised as this format.
    pub looks_like: Option<Content>,
}

/// A format of files.
#[derive(Clone, Copy)]
pub struct Format(&'static FormatInfo);

impl Format {
    /// The format that is called so.
    pub const fn new(info: &'static FormatInfo) -> Self {
        Self(info)
    }

    /// What it is called.
    pub fn info(self) -> &'static FormatInfo {
        self.0
    }

    /// The compression of a file with this name, if the name indicates this format.
    pub fn of_name(self, name: &str) -> Option<Compression> {
        let (stem, compression) = split_compression(name);
        let ending = stem.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase())?;
        let is_whole = self.0.compressed || compression == Compression::None;
        (is_whole && self.0.endings.contains(&ending.as_str())).then_some(compression)
    }
}

/// Splits the extension of a compression off a name.
pub(crate) fn split_compression(name: &str) -> (&str, Compression) {
    let found = name
        .rsplit_once('.')
        .and_then(|(stem, last)| Some((stem, Compression::of_extension(&last.to_ascii_lowercase())?)));
    found.unwrap_or((name, Compression::None))
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Format {}

impl Hash for Format {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

/// Prints `Csv`. Fingerprints of jobs contain this text, so it must not change.
impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, rest) = self.0.name.split_at_checked(1).unwrap_or_default();
        write!(f, "{first}{}", rest.to_lowercase())
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.words.first().unwrap_or(&self.0.name))
    }
}

/// Format and compression of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileKind {
    /// Format of the content.
    pub format: Format,
    /// Compression of the file; none where the format compresses inside.
    pub compression: Compression,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.compression {
            Compression::None => write!(f, "{}", self.format),
            compression => write!(f, "{} ({})", self.format, compression.option()),
        }
    }
}
