//! A format of files that become tables: one folder each, listed in [`FORMATS`](super::FORMATS).

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::execution::session_state::SessionState;

use super::files::kind::split_compression;
use super::files::{Content, FileKind, Format, Listing, SourceSpec};
use super::function::TableFunction;
use super::table::FilesReader;
use crate::compression::Compression;

/// A file format that can be read.
#[async_trait]
pub trait SourceFormat: Debug + Send + Sync {
    /// What it and its files are called.
    fn format(&self) -> Format;

    /// Rejects files that have no meaning on their own; `forced` is the format given by the user, if any.
    ///
    /// # Errors
    /// There are such files.
    async fn check(&self, _state: &dyn Session, _listing: &Listing, _forced: Option<Format>) -> Result<()> {
        Ok(())
    }

    /// Infers the columns of files and how to read them.
    ///
    /// # Errors
    /// A file cannot be read, columns are incompatible, or the format does not have an option.
    async fn open(&self, state: &dyn Session, files: Opening<'_>) -> Result<Opened>;

    /// The table function that reads the format, `read_csv(...)`; `None` if another format's function covers it.
    fn function(&self) -> Option<TableFunction> {
        None
    }

    /// Registers what the session needs for `CREATE EXTERNAL TABLE ... STORED AS`. `formats` lists all formats.
    ///
    /// # Errors
    /// DataFusion rejects the registration.
    fn register(&self, state: &mut SessionState, formats: Formats) -> Result<()>;
}

/// Files of one format that are to become a table.
#[derive(Debug, Clone)]
pub struct Opening<'a> {
    /// What the user asked for.
    pub spec: &'a SourceSpec,
    /// The files.
    pub listing: &'a Listing,
    /// Their format, and their compression where they have one.
    pub kind: FileKind,
    /// Columns that the user gave in addition to those in options.
    pub given: Option<SchemaRef>,
    /// Whether the user named every file, so that none may be skipped.
    pub all_named: bool,
}

/// What was found out about the files of a table.
#[derive(Debug)]
pub struct Opened {
    /// Options of the format: the given ones, and those inferred from the files.
    pub options: BTreeMap<String, String>,
    /// Columns in the files.
    pub schema: SchemaRef,
    /// How they are read.
    pub reader: Arc<dyn FilesReader>,
}

/// All formats. The last one takes files that no other format does.
#[derive(Debug, Clone, Copy)]
pub struct Formats(pub &'static [&'static dyn SourceFormat]);

impl Formats {
    /// All of them, in their order.
    pub fn all(self) -> impl Iterator<Item = Format> {
        self.0.iter().map(|format| format.format())
    }

    /// The format with that name in options and job files.
    pub fn of_word(self, word: &str) -> Option<Format> {
        self.all().find(|format| format.info().words.contains(&word))
    }

    /// The reader of a format; `None` if the format is not listed.
    pub fn source(self, format: Format) -> Option<&'static dyn SourceFormat> {
        self.0.iter().find(|source| source.format() == format).copied()
    }

    /// Whether a format takes files that no other does.
    pub fn is_fallback(self, format: Format) -> bool {
        self.0.last().is_some_and(|last| last.format() == format)
    }

    /// Format and compression by the name of a file; `forced` replaces the format but not the compression. `None` if there is
    /// no format.
    pub fn kind_of_name(self, name: &str, forced: Option<Format>) -> Option<FileKind> {
        if let Some(format) = forced {
            let compression = if format.info().compressed { split_compression(name).1 } else { Compression::None };
            return Some(FileKind { format, compression });
        }
        let by_name = self.all().find_map(|format| Some(FileKind { format, compression: format.of_name(name)? }));
        by_name.or_else(|| Some(FileKind { format: self.0.last()?.format(), compression: Compression::None }))
    }

    /// The format whose files all have this content.
    pub(crate) fn of_signature(self, content: Content) -> Option<Format> {
        self.all().find(|format| format.info().signature == Some(content))
    }

    /// The format of a file with this content whose name is not telling.
    pub(crate) fn looking_like(self, content: Content) -> Option<Format> {
        self.all().find(|format| format.info().looks_like == Some(content))
    }

    /// The place of a format among all.
    pub(crate) fn place(self, format: Format) -> usize {
        self.all().position(|other| other == format).unwrap_or(usize::MAX)
    }
}
