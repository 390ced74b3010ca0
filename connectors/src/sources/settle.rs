//! Determines the format of a source's files: by their names, and by their first bytes if a name says nothing or is
//! contradicted.
//!
//! A file named by the user is read by its content or is an error; it never yields zero rows because of its extension. Files
//! of a folder or a glob are what their extensions say. Those that are not text are skipped in a TEXT table and counted.

use std::io::Read;

use datafusion::catalog::Session;
use datafusion::common::{Result, plan_err};
use object_store::{ObjectStore, ObjectStoreExt};

use super::files::kind::split_compression;
use super::files::place::display_path;
use super::files::{Content, FileKind, Listing, SourceFile, SourceSpec};
use super::format::Formats;
use crate::compression::Compression;

/// Number of bytes examined at the beginning of a file.
const HEAD: u64 = 64 << 10;
/// Number of files of a folder to examine before it is said to hold no text.
const MAX_LOOKED_AT: usize = 8;

/// The kind of the files of `listing`, and whether the user named each of them.
///
/// # Errors
/// Files have several formats, or one that limpid does not read; the content of a named file contradicts its name; files have
/// no meaning on their own.
pub(crate) async fn settle(
    formats: Formats,
    state: &dyn Session,
    listing: &Listing,
    spec: &SourceSpec,
) -> Result<(FileKind, bool)> {
    for source in formats.0 {
        source.check(state, listing, spec.format).await?;
    }
    let by_name = common_kind(formats, listing, spec)?;
    let all_named = listing.files.iter().all(|file| is_named(spec, file));
    if spec.format.is_some() {
        return Ok((by_name, all_named));
    }
    let store = state.runtime_env().object_store(&listing.store)?;
    let kind = by_contents(formats, listing, spec, by_name, store.as_ref()).await?;
    // Files whose name indicates the format were examined above.
    if kind.format != by_name.format
        && let Some(source) = formats.source(kind.format)
    {
        source.check(state, listing, Some(kind.format)).await?;
    }
    Ok((kind, all_named))
}

/// Whether the user named a file, and not only a folder or a pattern.
fn is_named(spec: &SourceSpec, file: &SourceFile) -> bool {
    let name = file.meta.location.filename();
    spec.paths.iter().any(|path| path.trim_end_matches('/').rsplit('/').next() == name)
}

/// The one format of all files by their names. How they are compressed may differ where the format allows it.
pub(crate) fn common_kind(formats: Formats, listing: &Listing, spec: &SourceSpec) -> Result<FileKind> {
    let mut found: Vec<(FileKind, usize, &SourceFile)> = Vec::new();
    for file in &listing.files {
        let name = file.meta.location.filename().unwrap_or_default();
        let Some(kind) = formats.kind_of_name(name, spec.format) else { continue };
        match found.iter_mut().find(|(known, ..)| *known == kind) {
            Some((_, count, _)) => *count += 1,
            None => found.push((kind, 1, file)),
        }
    }
    found.sort_by_key(|(kind, ..)| (formats.place(kind.format), kind.compression));
    if let [(kind, ..), others @ ..] = found.as_slice() {
        if others.is_empty() {
            return Ok(*kind);
        }
        if kind.format.info().compressed && others.iter().all(|(other, ..)| other.format == kind.format) {
            return Ok(FileKind { compression: Compression::None, ..*kind });
        }
    }
    let found: Vec<String> = found
        .iter()
        .map(|(kind, count, first)| format!("{count} {kind} ({})", display_path(&listing.store, &first.meta.location)))
        .collect();
    plan_err!(
        "'{}' has files of several formats: {}; name those of one format with a glob such as '**/*.parquet'",
        spec.paths.join("', '"),
        found.join(", ")
    )
}

/// Settles the kind of files that by their names are `kind`.
async fn by_contents(
    formats: Formats,
    listing: &Listing,
    spec: &SourceSpec,
    kind: FileKind,
    store: &dyn ObjectStore,
) -> Result<FileKind> {
    refuse_foreign_endings(formats, listing)?;
    let mut settled: Option<FileKind> = None;
    for file in listing.files.iter().filter(|file| is_named(spec, file)) {
        let found = by_content(formats, listing, file, kind, store).await?;
        settled = Some(match settled {
            None => found,
            Some(before) if before == found => found,
            // As in a folder, files of one format may be compressed in several ways.
            Some(before) if before.format == found.format => FileKind { compression: Compression::None, ..found },
            Some(_) => return plan_err!("'{}' has files of several formats", spec.paths.join("', '")),
        });
    }
    if settled.is_none() && formats.is_fallback(kind.format) {
        refuse_binary_folder(listing, spec, store).await?;
    }
    Ok(settled.unwrap_or(kind))
}

/// What an ending says of a file that is no table by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// A format that limpid reads as a table.
    Table,
    /// Text, whatever it looks like.
    Text,
    /// A format that limpid does not read.
    Foreign(&'static str),
    /// Nothing.
    Unknown,
}

/// What the ending of `name` says; that of a compression does not count.
fn ending_of(formats: Formats, name: &str) -> Ending {
    if formats.all().any(|format| format.of_name(name).is_some()) {
        return Ending::Table;
    }
    let stem = split_compression(name).0.to_ascii_lowercase();
    match stem.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "txt" | "text" | "md" | "markdown" | "rst" | "tex" | "html" | "htm" | "xml" | "svg" | "ipynb" => Ending::Text,
        "arrow" | "arrows" | "feather" | "ipc" => Ending::Foreign("Arrow IPC"),
        "avro" => Ending::Foreign("Avro"),
        "orc" => Ending::Foreign("ORC"),
        "xlsx" | "xls" | "xlsm" | "xlsb" | "ods" => Ending::Foreign("a workbook"),
        _ => Ending::Unknown,
    }
}

/// Rejects extensions of formats that limpid does not read, unless a file has another extension.
fn refuse_foreign_endings(formats: Formats, listing: &Listing) -> Result<()> {
    let foreign = |file: &SourceFile| match ending_of(formats, file.meta.location.filename().unwrap_or_default()) {
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

/// Settles the kind of a file that the user named, which by its name is `kind`.
async fn by_content(
    formats: Formats,
    listing: &Listing,
    file: &SourceFile,
    kind: FileKind,
    store: &dyn ObjectStore,
) -> Result<FileKind> {
    let path = display_path(&listing.store, &file.meta.location);
    if file.meta.size == 0 {
        return Ok(kind);
    }
    let head = head_of(file, store).await?;
    let content = Content::of(&head, head.len() as u64 == file.meta.size);
    let ending = ending_of(formats, file.meta.location.filename().unwrap_or_default());
    let info = kind.format.info();
    // What the file is by its name, if that says anything.
    let is_unknown = formats.is_fallback(kind.format) && ending == Ending::Unknown;
    let with = |compression| FileKind { compression, ..kind };
    if let Some(format) = formats.of_signature(content) {
        let plain = FileKind { format, compression: Compression::None };
        return match format == kind.format || is_unknown {
            true => Ok(plain),
            false => plan_err!(
                "{path} is {} although its name says {kind}: rename it, or use read_{}('{path}')",
                content.describe(),
                format.info().words.first().unwrap_or_else(|| &format.info().name)
            ),
        };
    }
    if let Content::Foreign(name) = content {
        return refuse(&path, name);
    }
    if let Some(signature) = info.signature {
        let (wanted, found) = (signature.describe(), content.describe());
        return plan_err!("{path} is no {wanted} file although its name says so: it is {found}");
    }
    match content {
        Content::Compressed(compression) if info.compressed => Ok(with(compression)),
        Content::Text | Content::Json if info.compressed => Ok(with(Compression::None)),
        Content::Compressed(compression) if formats.is_fallback(kind.format) => {
            let inside = decompressed(&head, compression).map(|head| Content::of(&head, false));
            let format = inside.and_then(|inside| formats.looking_like(inside));
            match format.filter(|format| is_unknown && format.info().compressed) {
                Some(format) => Ok(FileKind { format, compression }),
                None => plan_err!(
                    "{path} is compressed with {compression}, and its name does not say what is in it: use read_csv or \
                     read_json, or name it .csv{0} or .jsonl{0}; compressed text files are not read",
                    compression.ending()
                ),
            }
        }
        content if is_unknown => Ok(match formats.looking_like(content) {
            Some(format) => FileKind { format, compression: Compression::None },
            None => kind,
        }),
        _ => Ok(kind),
    }
}

/// Rejects a TEXT table of files of which none is text: it would have no rows.
async fn refuse_binary_folder(listing: &Listing, spec: &SourceSpec, store: &dyn ObjectStore) -> Result<()> {
    let mut first = None;
    for file in listing.files.iter().filter(|file| file.meta.size > 0).take(MAX_LOOKED_AT) {
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
