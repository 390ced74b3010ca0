//! Reads a list of text files into batches, in the order of the list. Local files are read directly from the file system on a
//! blocking thread, one batch ahead of the consumer. Other stores are read by several concurrent requests.

use std::borrow::Cow;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use bytes::Bytes;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileSource;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};

use super::columns::{Columns, Layout};
use super::{TextOptions, TextSource};
use crate::sources::files::place::display_path;

/// Bytes read for one batch, unless a single file has more.
const BATCH_BYTES: u64 = 8 << 20;
/// Number of bytes of a larger file that are searched for a NUL byte before the rest is read.
const SNIFF_BYTES: usize = 64 << 10;
/// Requests in flight to a store that is not local.
const REQUESTS: usize = 8;
/// Longest text of one value: offsets of Utf8 are 32 bits wide.
const MAX_TEXT: u64 = i32::MAX as u64;
const BOM: char = '\u{FEFF}';

/// What is known of a file before it is read.
#[derive(Debug)]
pub(super) struct TextFile {
    location: ObjectPath,
    size: u64,
    /// Microseconds since 1970.
    pub(super) modified: i64,
    pub(super) partitions: Vec<ScalarValue>,
}

impl TextFile {
    pub(super) fn new(file: &PartitionedFile) -> Self {
        let meta = &file.object_meta;
        Self {
            location: meta.location.clone(),
            size: meta.size,
            modified: meta.last_modified.timestamp_micros(),
            partitions: file.partition_values.clone(),
        }
    }
}

/// Where files are: the local file system, which is read without its object store, or any other.
#[derive(Debug, Clone)]
pub(super) struct Store {
    inner: Arc<dyn ObjectStore>,
    url: ObjectStoreUrl,
    local: bool,
}

impl Store {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, url: &ObjectStoreUrl) -> Self {
        // Someone may have put another store under file://, hence the look at its name.
        let local = url.as_str() == "file:///" && inner.to_string().starts_with("LocalFileSystem");
        Self { inner, url: url.clone(), local }
    }
}

/// The result of trying to read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Read,
    /// Known from its beginning; the rest was not read.
    Binary,
    TooLarge,
    Unreadable,
}

/// Counts what a partition read and skipped; says so in the log when it is done.
struct Tally {
    partition: usize,
    read: Count,
    binary: Count,
    not_utf8: Count,
    too_large: Count,
    unreadable: Count,
    bytes: Count,
    first_skipped: OnceLock<String>,
}

impl Tally {
    fn new(metrics: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let counter = |name: &'static str| MetricBuilder::new(metrics).counter(name, partition);
        Self {
            partition,
            read: counter("files_read"),
            binary: counter("files_skipped_binary"),
            not_utf8: counter("files_skipped_not_utf8"),
            too_large: counter("files_skipped_too_large"),
            unreadable: counter("files_skipped_unreadable"),
            bytes: counter("bytes_read"),
            first_skipped: OnceLock::new(),
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        if let Some(first) = self.first_skipped.get() {
            log::info!(
                "TEXT, partition {}: {} files read, skipped {} binary, {} not UTF-8, {} too large, {} unreadable; the first: {first}",
                self.partition,
                self.read.value(),
                self.binary.value(),
                self.not_utf8.value(),
                self.too_large.value(),
                self.unreadable.value(),
            );
        }
    }
}

/// Reads the files of one partition.
pub(super) struct TextReader {
    store: Store,
    layout: Layout,
    options: TextOptions,
    batch_rows: usize,
    /// Whether the next batch is read while the consumer works on the last one.
    read_ahead: bool,
    tally: Tally,
}

impl TextReader {
    pub(super) fn new(
        store: Store,
        layout: Layout,
        source: &TextSource,
        limit: Option<usize>,
        partition: usize,
    ) -> Self {
        Self {
            store,
            layout,
            options: source.options().clone(),
            batch_rows: source.batch_size().min(limit.unwrap_or(usize::MAX)).max(1),
            read_ahead: limit.is_none(),
            tally: Tally::new(source.metrics(), partition),
        }
    }

    /// Batches of the files, in their order.
    pub(super) fn stream(self: Arc<Self>, files: Arc<[TextFile]>) -> BoxStream<'static, Result<RecordBatch>> {
        if self.store.local { self.local_stream(files) } else { self.remote_stream(files) }
    }

    fn local_stream(self: Arc<Self>, files: Arc<[TextFile]>) -> BoxStream<'static, Result<RecordBatch>> {
        let start = move |reader: &Arc<Self>, first: usize| {
            (first < files.len()).then(|| {
                let (reader, files) = (Arc::clone(reader), Arc::clone(&files));
                SpawnedTask::spawn_blocking(move || reader.read_local(&files, first))
            })
        };
        stream::try_unfold((None, 0), move |(task, next)| {
            let (reader, start) = (Arc::clone(&self), start.clone());
            async move {
                let Some(task) = task.or_else(|| start(&reader, next)) else { return Ok(None) };
                let (batch, next) = task.await.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))??;
                let ahead = if reader.read_ahead { start(&reader, next) } else { None };
                Ok::<_, DataFusionError>(Some((batch, (ahead, next))))
            }
        })
        .try_filter_map(futures::future::ok)
        .boxed()
    }

    /// One batch of local files from `start` on, and where the next begins.
    fn read_local(&self, files: &[TextFile], start: usize) -> Result<(Option<RecordBatch>, usize)> {
        let mut columns = Columns::new(&self.layout);
        let mut content = Vec::new();
        let mut bytes = 0;
        let mut next = start;
        while let Some(file) = files.get(next) {
            let full = columns.rows() >= self.batch_rows || (bytes > 0 && bytes + file.size > BATCH_BYTES);
            if full {
                break;
            }
            let path = display_path(&self.store.url, &file.location);
            content.clear();
            let outcome = self.read_file(file, &path, &mut content)?;
            bytes += content.len() as u64;
            self.accept(&mut columns, file, &path, &content, outcome)?;
            next += 1;
        }
        Ok((columns.finish()?, next))
    }

    fn read_file(&self, file: &TextFile, path: &str, content: &mut Vec<u8>) -> Result<Outcome> {
        if self.too_large(file.size) {
            return Ok(Outcome::TooLarge);
        }
        match read_bytes(Path::new(path), file.size, content) {
            Ok(outcome) => Ok(outcome),
            Err(e) if e.kind() == ErrorKind::FileTooLarge => too_long(path, file.size),
            Err(e) => self.unreadable(path, &e),
        }
    }

    fn unreadable(&self, path: &str, error: &dyn std::error::Error) -> Result<Outcome> {
        if self.options.skip_unreadable {
            log::debug!("{path}: {error}");
            return Ok(Outcome::Unreadable);
        }
        exec_err!("cannot read {path}: {error} (option skip_unreadable skips such files)")
    }

    fn remote_stream(self: Arc<Self>, files: Arc<[TextFile]>) -> BoxStream<'static, Result<RecordBatch>> {
        let reader = Arc::clone(&self);
        let total = files.len();
        let fetched = stream::iter(0..total)
            .map(move |i| Arc::clone(&reader).fetch(Arc::clone(&files), i))
            .buffered(REQUESTS)
            .boxed();
        stream::try_unfold((fetched, None), move |(mut fetched, mut held)| {
            let reader = Arc::clone(&self);
            async move {
                let mut columns = Columns::new(&reader.layout);
                let mut bytes = 0u64;
                loop {
                    let item: Option<Fetched> = match held.take() {
                        Some(item) => Some(item),
                        None => fetched.try_next().await?,
                    };
                    let Some(item) = item else { break };
                    let length = item.content.len() as u64;
                    if columns.rows() >= reader.batch_rows || (bytes > 0 && bytes + length > BATCH_BYTES) {
                        held = Some(item);
                        break;
                    }
                    bytes += length;
                    if let Some(file) = item.files.get(item.index) {
                        reader.accept(&mut columns, file, &item.path, &item.content, item.outcome)?;
                    }
                }
                Ok::<_, DataFusionError>(columns.finish()?.map(|batch| (batch, (fetched, held))))
            }
        })
        .boxed()
    }

    async fn fetch(self: Arc<Self>, files: Arc<[TextFile]>, index: usize) -> Result<Fetched> {
        let Some(file) = files.get(index) else { return exec_err!("TEXT scan lost file {index}") };
        let path = display_path(&self.store.url, &file.location);
        let mut content = Bytes::new();
        let outcome = if self.too_large(file.size) {
            Outcome::TooLarge
        } else if file.size > MAX_TEXT {
            too_long(&path, file.size)?
        } else {
            let answer = match self.store.inner.get(&file.location).await {
                Ok(answer) => answer.bytes().await,
                Err(e) => Err(e),
            };
            match answer {
                Ok(bytes) => {
                    content = bytes;
                    Outcome::Read
                }
                Err(e) => self.unreadable(&path, &e)?,
            }
        };
        Ok(Fetched { files, index, path, content, outcome })
    }

    fn too_large(&self, size: u64) -> bool {
        self.options.max_file_size.is_some_and(|max| size > max)
    }

    /// Counts a file that was examined, and adds its row if it has one.
    fn accept(
        &self,
        columns: &mut Columns<'_>,
        file: &TextFile,
        path: &str,
        content: &[u8],
        outcome: Outcome,
    ) -> Result<()> {
        let tally = &self.tally;
        tally.bytes.add(content.len());
        let strict = self.options.binary_is_error;
        let skipped = match outcome {
            Outcome::Read if content.contains(&0) && !has_utf16_mark(content) => {
                if strict {
                    return exec_err!("{path} is no text: it is binary");
                }
                &tally.binary
            }
            Outcome::Read => match decoded(content) {
                Some(text) => {
                    if text.len() as u64 > MAX_TEXT {
                        return too_long(path, text.len() as u64);
                    }
                    tally.read.add(1);
                    let text = text.strip_prefix(BOM).unwrap_or(&text);
                    return columns.push(file, path, content.len() as u64, text);
                }
                None if strict => return exec_err!("{path} is no text: it is not valid UTF-8"),
                None => &tally.not_utf8,
            },
            Outcome::Binary if strict => return exec_err!("{path} is no text: it is binary"),
            Outcome::Binary => &tally.binary,
            Outcome::TooLarge => &tally.too_large,
            Outcome::Unreadable => &tally.unreadable,
        };
        skipped.add(1);
        tally.first_skipped.get_or_init(|| path.to_owned());
        Ok(())
    }
}

/// A file that came from a store.
struct Fetched {
    files: Arc<[TextFile]>,
    index: usize,
    path: String,
    content: Bytes,
    outcome: Outcome,
}

/// Reads a whole file, or its beginning when that already shows that it is binary. `expected` is its size as listed.
fn read_bytes(path: &Path, expected: u64, content: &mut Vec<u8>) -> std::io::Result<Outcome> {
    let mut file = File::open(path)?;
    let expected = usize::try_from(expected).unwrap_or(usize::MAX);
    if expected > 4 * SNIFF_BYTES {
        fill(&mut file, content, SNIFF_BYTES)?;
        if content.contains(&0) && !has_utf16_mark(content) {
            return Ok(Outcome::Binary);
        }
    }
    // One byte more than expected, so that the usual file is at its end after one read.
    loop {
        let missing = expected.saturating_sub(content.len()).max(SNIFF_BYTES / 4);
        if content.len() as u64 + missing as u64 > MAX_TEXT + SNIFF_BYTES as u64 {
            return Err(ErrorKind::FileTooLarge.into());
        }
        if !fill(&mut file, content, missing + 1)? {
            return Ok(Outcome::Read);
        }
    }
}

/// Appends up to `limit` bytes; `false` at the end of the file.
fn fill(file: &mut File, content: &mut Vec<u8>, limit: usize) -> std::io::Result<bool> {
    let start = content.len();
    content.resize(start + limit, 0);
    let mut end = start;
    while let Some(space) = content.get_mut(end..).filter(|space| !space.is_empty()) {
        match file.read(space) {
            Ok(0) => {
                content.truncate(end);
                return Ok(false);
            }
            Ok(n) => end += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => {
                content.truncate(end);
                return Err(e);
            }
        }
    }
    Ok(true)
}

fn has_utf16_mark(content: &[u8]) -> bool {
    matches!(content, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..])
}

/// The text of a file: UTF-8, or UTF-16 that begins with its byte order mark.
fn decoded(content: &[u8]) -> Option<Cow<'_, str>> {
    let read: fn([u8; 2]) -> u16 = match content {
        [0xFF, 0xFE, ..] => u16::from_le_bytes,
        [0xFE, 0xFF, ..] => u16::from_be_bytes,
        _ => return str::from_utf8(content).ok().map(Cow::Borrowed),
    };
    let pairs = content.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    let units = pairs.filter_map(|pair| pair.try_into().ok()).map(read);
    char::decode_utf16(units).collect::<Result<String, _>>().ok().map(Cow::Owned)
}

fn too_long<T>(path: &str, size: u64) -> Result<T> {
    exec_err!("{path} has {size} bytes, a text may have {MAX_TEXT} (option max_file_size skips larger files)")
}
