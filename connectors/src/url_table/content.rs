//! What the first bytes of a file say, where its name says nothing or something else.
//!
//! A file that the user names is read by its content or is an error: it never has no rows because of its ending. Files of a
//! folder or a glob are what their endings say; those that are no text are left out of a TEXT table and counted.

use std::io::Read;

use datafusion::common::{Result, plan_err};
use object_store::{ObjectStore, ObjectStoreExt};
use serde::de::IgnoredAny;

use super::kind::{Ending, ending_of};
use super::{Compression, FileKind, Format, Listing, SourceFile, SourceSpec, display_path};

/// Bytes from the beginning of a file that are looked at.
const HEAD: u64 = 64 << 10;
/// Files of a folder that are looked at before it is said to hold no text.
const LOOKED_AT: usize = 8;

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing.
    Empty,
    /// Parquet.
    Parquet,
    /// Compressed data.
    Compressed(Compression),
    /// A format that limpid does not read.
    Foreign(&'static str),
    /// Bytes that are no text.
    Binary,
    /// Text that begins with a JSON object on one line, or with an array of objects.
    Json,
    /// Any other text.
    Text,
}

impl Content {
    /// Of a file that begins with `head`; `whole` says that it has no more.
    pub(crate) fn of(head: &[u8], whole: bool) -> Self {
        if head.is_empty() {
            return Self::Empty;
        }
        if let Some(found) = Self::by_magic(head) {
            return found;
        }
        if matches!(head, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) {
            return Self::Text;
        }
        let text = match std::str::from_utf8(head) {
            Ok(text) => text,
            // A character may be cut at the end of what is looked at.
            Err(e) if e.error_len().is_none() && !whole => {
                std::str::from_utf8(head.get(..e.valid_up_to()).unwrap_or_default()).unwrap_or_default()
            }
            Err(_) => return Self::Binary,
        };
        match text {
            text if text.contains('\0') => Self::Binary,
            text if is_json(text, whole) => Self::Json,
            _ => Self::Text,
        }
    }

    /// By signatures that no text begins with.
    pub(crate) fn by_magic(head: &[u8]) -> Option<Self> {
        // A column of a CSV file may be called PARENT or ORC.
        let printable = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
        let text = head.len() > 4 && head.iter().take(8).all(printable);
        Some(match head {
            _ if text && !head.starts_with(b"%PDF-") && !head.starts_with(b"SQLite format 3\0") => return None,
            [b'P', b'A', b'R', b'1', ..] | [b'P', b'A', b'R', b'E', ..] => Self::Parquet,
            [0x1F, 0x8B, ..] => Self::Compressed(Compression::Gzip),
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Self::Compressed(Compression::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, ..] => {
                Self::Compressed(Compression::Bzip2)
            }
            [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Self::Compressed(Compression::Xz),
            [b'A', b'R', b'R', b'O', b'W', b'1', ..] | [b'F', b'E', b'A', b'1', ..] | [0xFF, 0xFF, 0xFF, 0xFF, ..] => {
                Self::Foreign("Arrow IPC")
            }
            [b'O', b'b', b'j', 1, ..] => Self::Foreign("Avro"),
            [b'O', b'R', b'C', 0..=31, ..] => Self::Foreign("ORC"),
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => {
                Self::Foreign("a ZIP archive (an Excel workbook is one)")
            }
            [0xD0, 0xCF, 0x11, 0xE0, ..] => Self::Foreign("an old Excel or Word file"),
            [0x89, b'H', b'D', b'F', ..] => Self::Foreign("HDF5"),
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Self::Foreign("a NumPy array"),
            [b'%', b'P', b'D', b'F', b'-', ..] => Self::Foreign("PDF"),
            head if head.starts_with(b"SQLite format 3\0") => Self::Foreign("an SQLite database"),
            _ => return None,
        })
    }

    /// What it is called in messages.
    fn describe(self) -> String {
        match self {
            Self::Empty => "empty".to_owned(),
            Self::Parquet => "Parquet".to_owned(),
            Self::Compressed(compression) => format!("compressed with {compression}"),
            Self::Foreign(name) => name.to_owned(),
            Self::Binary => "binary".to_owned(),
            Self::Json => "JSON".to_owned(),
            Self::Text => "text".to_owned(),
        }
    }

    fn is_text(self) -> bool {
        matches!(self, Self::Empty | Self::Json | Self::Text)
    }
}

/// Whether `text` begins with an object on one line, or with an array of objects.
fn is_json(text: &str, whole: bool) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if let Some(items) = text.strip_prefix('[') {
        return items.trim_start().starts_with('{');
    }
    if !text.starts_with('{') {
        return false;
    }
    match text.split_once('\n') {
        Some((line, _)) => serde_json::from_str::<IgnoredAny>(line).is_ok(),
        None if whole => serde_json::from_str::<IgnoredAny>(text).is_ok(),
        // One line that is longer than what is looked at.
        None => text.trim_start_matches('{').trim_start().starts_with('"'),
    }
}

/// The kind of the files of `listing`, which by their names are `kind`, and whether a file that is no text is an error.
///
/// # Errors
/// A named file whose content no format of limpid's reads, or another than its name says; files that limpid does not read.
pub(super) async fn settle(
    listing: &Listing,
    spec: &SourceSpec,
    kind: FileKind,
    store: &dyn ObjectStore,
) -> Result<(FileKind, bool)> {
    let named = |file: &&SourceFile| {
        let name = file.meta.location.filename();
        spec.paths.iter().any(|path| path.trim_end_matches('/').rsplit('/').next() == name)
    };
    let all_named = listing.files.iter().all(|file| named(&file));
    if spec.format.is_some() {
        return Ok((kind, all_named));
    }
    refuse_foreign_endings(listing)?;
    let mut settled: Option<FileKind> = None;
    for file in listing.files.iter().filter(named) {
        let found = by_content(listing, file, kind, store).await?;
        settled = Some(match settled {
            None => found,
            Some(before) if before == found => found,
            // As in a folder, files of one format may be compressed in several ways.
            Some(before) if before.format == found.format => FileKind { compression: Compression::None, ..found },
            Some(_) => return plan_err!("'{}' has files of several formats", spec.paths.join("', '")),
        });
    }
    if settled.is_none() && kind.format == Format::Text {
        refuse_binary_folder(listing, spec, store).await?;
    }
    Ok((settled.unwrap_or(kind), all_named))
}

/// Endings that say a format which limpid does not read are errors where no file has another ending.
fn refuse_foreign_endings(listing: &Listing) -> Result<()> {
    let foreign = |file: &SourceFile| match ending_of(file.meta.location.filename().unwrap_or_default()) {
        Ending::Foreign(name) => Some(name),
        _ => None,
    };
    let Some((file, name)) = listing.files.first().and_then(|file| Some((file, foreign(file)?))) else { return Ok(()) };
    if listing.files.iter().all(|file| foreign(file).is_some()) {
        return refuse(&display_path(&listing.store, &file.meta.location), name);
    }
    Ok(())
}

fn refuse<T>(path: &str, what: &str) -> Result<T> {
    plan_err!(
        "{path} is {what}, which limpid does not read: it reads Parquet, CSV, TSV, JSON and text; convert the file to Parquet"
    )
}

async fn head_of(file: &SourceFile, store: &dyn ObjectStore) -> Result<Vec<u8>> {
    let meta = &file.meta;
    Ok(store.get_range(&meta.location, 0..meta.size.min(HEAD)).await?.to_vec())
}

/// The kind of a file that the user named, which by its name is `kind`.
async fn by_content(listing: &Listing, file: &SourceFile, kind: FileKind, store: &dyn ObjectStore) -> Result<FileKind> {
    let path = display_path(&listing.store, &file.meta.location);
    if file.meta.size == 0 {
        return Ok(kind);
    }
    let head = head_of(file, store).await?;
    let content = Content::of(&head, head.len() as u64 == file.meta.size);
    let ending = ending_of(file.meta.location.filename().unwrap_or_default());
    let with = |compression| FileKind { compression, ..kind };
    match (kind.format, content) {
        (_, Content::Foreign(name)) => refuse(&path, name),
        (Format::Parquet, Content::Parquet) => Ok(kind),
        (Format::Text, Content::Parquet) if ending == Ending::Unknown => {
            Ok(FileKind { format: Format::Parquet, compression: Compression::None })
        }
        (_, Content::Parquet) => {
            plan_err!("{path} is Parquet although its name says {kind}: rename it, or use read_parquet('{path}')")
        }
        (Format::Parquet, other) => {
            plan_err!("{path} is no Parquet file although its name says so: it is {}", other.describe())
        }
        (Format::Json | Format::Csv | Format::Tsv, Content::Compressed(compression)) => Ok(with(compression)),
        (Format::Json | Format::Csv | Format::Tsv, Content::Text | Content::Json) => Ok(with(Compression::None)),
        (Format::Text, Content::Compressed(compression)) => {
            let inside = decompressed(&head, compression).map(|head| Content::of(&head, false));
            match inside {
                Some(Content::Json) if ending == Ending::Unknown => Ok(FileKind { format: Format::Json, compression }),
                _ => plan_err!(
                    "{path} is compressed with {compression}, and its name does not say what is in it: use read_csv or \
                     read_json, or name it .csv{0} or .jsonl{0}; compressed text files are not read",
                    compression.ending()
                ),
            }
        }
        (Format::Text, Content::Json) if ending == Ending::Unknown => {
            Ok(FileKind { format: Format::Json, compression: Compression::None })
        }
        _ => Ok(kind),
    }
}

/// A TEXT table of files none of which is text would have no rows.
async fn refuse_binary_folder(listing: &Listing, spec: &SourceSpec, store: &dyn ObjectStore) -> Result<()> {
    let mut first = None;
    for file in listing.files.iter().filter(|file| file.meta.size > 0).take(LOOKED_AT) {
        let head = head_of(file, store).await?;
        let content = Content::of(&head, head.len() as u64 == file.meta.size);
        // Whatever else is in the folder: some of it is text, or may be.
        if content.is_text() || content == Content::Binary {
            return Ok(());
        }
        first.get_or_insert_with(|| (display_path(&listing.store, &file.meta.location), content));
    }
    let Some((path, content)) = first else { return Ok(()) };
    plan_err!(
        "'{}' has no text: {path} is {}, and its name does not say so; use read_parquet, read_csv or read_json, or rename the files",
        spec.paths.join("', '"),
        content.describe()
    )
}

/// As much as `head` holds of what was compressed.
fn decompressed(head: &[u8], compression: Compression) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    // The end is cut off, which is an error after all that is there.
    let _ = match compression {
        Compression::Gzip => flate2::read::MultiGzDecoder::new(head).take(HEAD).read_to_end(&mut out),
        Compression::Zstd => zstd::stream::read::Decoder::new(head).ok()?.take(HEAD).read_to_end(&mut out),
        _ => return None,
    };
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes() {
        for (head, content) in [
            (&b"PAR1\x15..."[..], Content::Parquet),
            (b"\x1f\x8b\x08", Content::Compressed(Compression::Gzip)),
            (b"ARROW1\0\0", Content::Foreign("Arrow IPC")),
            (b"{\"a\":1}\n{\"a\":2}\n", Content::Json),
            (b"\xef\xbb\xbf {\"a\":1}", Content::Json),
            (b"[\n {\"a\":1}]", Content::Json),
            (b"{\n  \"a\": 1\n}", Content::Text),
            (b"[package]\nname = 1", Content::Text),
            (b"{ block } in some language\n", Content::Text),
            (b"Parquet is a format", Content::Text),
            (b"PARENT,CHILD\n1,2\n", Content::Text),
            (b"ORC\n1\n", Content::Text),
            (b"PAR1\x15\x04\x15\x10", Content::Parquet),
            (b"a\0b", Content::Binary),
            (b"caf\xe9 au lait", Content::Binary),
            (b"\xff\xfea\0", Content::Text),
            (b"", Content::Empty),
        ] {
            assert_eq!(Content::of(head, true), content, "{:?}", String::from_utf8_lossy(head));
        }
        assert_eq!(Content::of("é".as_bytes().get(..1).unwrap(), false), Content::Text);
    }
}
