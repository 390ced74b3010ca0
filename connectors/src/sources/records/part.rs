//! A file, or a range of one, as a sequence of undecoded records.

use std::io::{Cursor as Memory, Read};

use datafusion::common::{DataFusionError, Result, exec_err};
use object_store::ObjectMeta;

use super::RecordOptions;
use super::csv::layout::{CsvLayout, Found};
use super::csv::{Dialect, Field, Next};
use super::error::NOT_UTF8;
use super::error::{Defect, RecordError};
use super::formats::JSON;
use super::input::{self, Coding, Store, cannot_read, fill};
use super::json::{Documents, Element, find_layout, line_end};
use super::options::JsonLayout;
use super::window::{MAX_RECORD, Window};
use crate::sources::files::Format;

/// Bytes at the beginning of a file that are examined to determine how to read it.
const HEAD: usize = 256 << 10;

/// What the beginning of a file shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layout {
    Csv(CsvLayout),
    Json(JsonLayout),
    /// There is no record.
    Nothing,
}

/// How to read a file. Ranges of a file carry this as an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    pub layout: Layout,
    pub coding: Coding,
}

/// A file whose beginning was examined.
pub(crate) struct Opened {
    pub shape: Shape,
    head: Vec<u8>,
    rest: Box<dyn Read + Send>,
}

/// Opens a file and examines its beginning. `columns` are those given by the user, if any.
pub(crate) fn open(
    store: &Store,
    meta: &ObjectMeta,
    format: Format,
    options: &RecordOptions,
    columns: Option<&[String]>,
) -> Result<Opened> {
    let path = store.path(&meta.location);
    let (mut rest, coding) = input::open(store, &meta.location, meta.size, options)?;
    let mut head = Vec::new();
    loop {
        let held = head.len();
        head.resize(held + HEAD.max(held), 0);
        let space = head.get_mut(held..).unwrap_or_default();
        let wanted = space.len();
        let read = fill(rest.as_mut(), space).map_err(|e| cannot_read(&path, &e))?;
        head.truncate(held + read);
        let whole = read < wanted;
        let layout = match format {
            _ if format == JSON => Layout::Json(match options.layout {
                Some(layout) => layout,
                None => find_layout(valid(&head)),
            }),
            _ => match CsvLayout::find(&head, whole, options, columns) {
                Ok(Found::Layout(layout)) => Layout::Csv(layout),
                Ok(Found::Nothing) => Layout::Nothing,
                Ok(Found::More) if head.len() > MAX_RECORD => return exec_err!("{path}, line 1: {TOO_LONG}"),
                Ok(Found::More) => continue,
                Err(defect) => {
                    let hint = hint(&defect, false);
                    return Err(RecordError { format, file: &path, line: 1, defect: &defect, hint }.into_error());
                }
            },
        };
        return Ok(Opened { shape: Shape { layout, coding }, head, rest });
    }
}

const TOO_LONG: &str = "a record is longer than 2 GiB";

fn valid(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => bytes.get(..e.valid_up_to()).and_then(|good| std::str::from_utf8(good).ok()).unwrap_or_default(),
    }
}

/// The advice in an error message. `sampled` says that types were inferred from a part of the files.
pub(crate) fn hint(defect: &Defect, sampled: bool) -> &'static str {
    match () {
        () if defect.reason == NOT_UTF8 => {
            "give encoding => 'latin1' or 'windows-1252' if it is in one of those, or on_error => 'skip' to leave such records out"
        }
        () if defect.value_only && sampled => {
            "types come from a sample: give sample => 'all' to look at every value, or name the column's type in types"
        }
        () if defect.value_only => {
            "on_error => 'skip' leaves such records out, on_error => 'null' makes such values NULL"
        }
        () if defect.reason.contains("header =>") => "",
        () if defect.reason.contains("fields") => {
            "ragged => 'pad' fills short records with NULL, on_error => 'skip' leaves such records out"
        }
        () => "on_error => 'skip' leaves such records out",
    }
}

/// How records follow each other.
enum Framing {
    Csv { dialect: Dialect, fields: Vec<Field> },
    Lines,
    Document(Documents),
    Nothing,
}

/// A record that was located but not decoded.
#[derive(Debug)]
pub(crate) struct Raw {
    pub start: usize,
    pub end: usize,
    next: usize,
    pub defect: Option<Defect>,
    /// An empty line, which is a record only if there is a single column.
    pub blank: bool,
}

/// A file or a range of one.
pub(crate) struct Part {
    pub window: Window,
    framing: Framing,
    /// Where a range of lines ends. A line that starts there belongs to the next range.
    end: u64,
    /// Whether data before the range was not read.
    pub from_middle: bool,
}

impl Part {
    /// The records of `opened` up to `end`.
    pub(crate) fn whole(opened: Opened, end: Option<u64>) -> Self {
        let Opened { shape: Shape { layout, coding }, head, rest } = opened;
        let (framing, body) = framing(&layout);
        let lines = head.get(..body).unwrap_or_default();
        let newline = newline(&layout);
        let before = memchr::memchr_iter(newline, lines).count() as u64;
        let mut memory = Memory::new(head);
        memory.set_position(body as u64);
        let start = coding.mark + body as u64;
        let exact = matches!(framing, Framing::Csv { .. });
        let limit = end.filter(|_| exact).map_or(u64::MAX, |end| end.saturating_sub(start));
        let mut window = Window::new(Box::new(memory.chain(rest)), start, limit);
        window.set_newline(newline, before);
        Self { window, framing, end: end.unwrap_or(u64::MAX), from_middle: false }
    }

    /// The records of a plain file that begin in `start..end`.
    pub(crate) fn range(store: &Store, meta: &ObjectMeta, layout: &Layout, start: u64, end: u64) -> Result<Self> {
        let (framing, _) = framing(layout);
        let lines = matches!(framing, Framing::Lines);
        // The line that contains `start` belongs to the previous range, unless it starts there.
        let from = if lines { start.saturating_sub(1) } else { start };
        let mut reader = store.bytes(&meta.location, meta.size, from)?;
        let mut from = from;
        if lines {
            let skipped = skip_line(reader.as_mut()).map_err(|e| cannot_read(&store.path(&meta.location), &e))?;
            from += skipped.0;
            reader = Box::new(Memory::new(skipped.1).chain(reader));
        }
        let limit = if lines { u64::MAX } else { end.saturating_sub(start) };
        let mut window = Window::new(reader, from, limit);
        window.set_newline(newline(layout), 0);
        Ok(Self { window, framing, end, from_middle: true })
    }

    /// The fields of the CSV record that was found last.
    pub(crate) fn csv(&self) -> Option<(&Dialect, &[Field])> {
        match &self.framing {
            Framing::Csv { dialect, fields } => Some((dialect, fields)),
            _ => None,
        }
    }

    /// Whether records are located by parsing, so that none can be found after a mistake.
    pub(crate) fn is_document(&self) -> bool {
        matches!(self.framing, Framing::Document(_))
    }

    /// Locates the next record. Errors are those of reading the file.
    pub(crate) fn find(&mut self, path: &str) -> Result<Option<Raw>> {
        loop {
            let (at, last) = (self.window.at(), self.window.is_last());
            let bytes = self.window.bytes();
            match &mut self.framing {
                Framing::Nothing => return Ok(None),
                Framing::Csv { dialect, fields } => match dialect.next(bytes, at, last, fields) {
                    Next::Record { end, next } => return Ok(Some(Raw::new(at, end, next))),
                    Next::Blank { next } => {
                        fields.clear();
                        fields.push(Field { start: at, end: at, quoted: false, escaped: false });
                        return Ok(Some(Raw { blank: true, ..Raw::new(at, at, next) }));
                    }
                    Next::Broken { end, next, defect } => {
                        return Ok(Some(Raw { defect: Some(defect), ..Raw::new(at, end, next) }));
                    }
                    Next::Comment { next } => {
                        self.window.advance(next);
                        continue;
                    }
                    Next::End => return Ok(None),
                    Next::More => {}
                },
                Framing::Lines => {
                    if self.window.place(at) >= self.end {
                        return Ok(None);
                    }
                    let (end, next) = match line_end(bytes, at) {
                        Some(end) => (end, end + 1),
                        None if last && at >= bytes.len() => return Ok(None),
                        None if last => (bytes.len(), bytes.len()),
                        None => {
                            self.more(path)?;
                            continue;
                        }
                    };
                    if bytes.get(at..end).unwrap_or_default().trim_ascii().is_empty() {
                        self.window.advance(next);
                        continue;
                    }
                    return Ok(Some(Raw::new(at, end, next)));
                }
                Framing::Document(documents) => {
                    let text = match self.window.text(0, bytes.len()) {
                        Ok(text) => text,
                        Err(bad) => {
                            let defect = Defect::record(bad - at.min(bad), NOT_UTF8);
                            return Ok(Some(Raw { defect: Some(defect), ..Raw::new(at, bytes.len(), bytes.len()) }));
                        }
                    };
                    match documents.next(text, at, last) {
                        Ok(Element::Record { start, end }) => return Ok(Some(Raw::new(start, end, end))),
                        Ok(Element::End) => return Ok(None),
                        Ok(Element::More) => {}
                        Err(defect) => {
                            let defect = Defect { at: defect.at.saturating_sub(at), truncated: false, ..defect };
                            return Ok(Some(Raw { defect: Some(defect), ..Raw::new(at, bytes.len(), bytes.len()) }));
                        }
                    }
                }
            }
            self.more(path)?;
        }
    }

    fn more(&mut self, path: &str) -> Result<()> {
        if self.window.bytes().len() - self.window.at() > MAX_RECORD {
            let line = self.window.line(self.window.at()) + 1;
            return exec_err!("{path}, line {line}: {TOO_LONG}");
        }
        self.window.refill().map_err(|e| cannot_read(path, &e))
    }

    /// Releases records that were consumed. `pending` was located but not consumed.
    pub(crate) fn release(&mut self, pending: Option<&mut Raw>) {
        let passed = self.window.release();
        if passed == 0 {
            return;
        }
        let Some(pending) = pending else { return };
        (pending.start, pending.end, pending.next) =
            (pending.start - passed, pending.end - passed, pending.next - passed);
        if let Framing::Csv { fields, .. } = &mut self.framing {
            for field in fields {
                (field.start, field.end) = (field.start - passed, field.end - passed);
            }
        }
    }

    /// Continues after `found`.
    pub(crate) fn pass(&mut self, found: &Raw) {
        self.window.advance(found.next);
    }
}

impl Raw {
    fn new(start: usize, end: usize, next: usize) -> Self {
        Self { start, end, next, defect: None, blank: false }
    }
}

fn framing(layout: &Layout) -> (Framing, usize) {
    match layout {
        Layout::Csv(csv) => (Framing::Csv { dialect: csv.dialect, fields: Vec::new() }, csv.body),
        Layout::Json(JsonLayout::Lines) => (Framing::Lines, 0),
        Layout::Json(JsonLayout::Document) => (Framing::Document(Documents::default()), 0),
        Layout::Nothing => (Framing::Nothing, 0),
    }
}

fn newline(layout: &Layout) -> u8 {
    match layout {
        Layout::Csv(csv) if csv.dialect.carriage_returns => b'\r',
        _ => b'\n',
    }
}

/// Skips to the end of a line. Returns the number of bytes skipped and what was read beyond it.
fn skip_line(reader: &mut dyn Read) -> std::io::Result<(u64, Vec<u8>)> {
    let mut skipped = 0;
    loop {
        let mut bytes = vec![0; 64 << 10];
        let read = fill(reader, &mut bytes)?;
        bytes.truncate(read);
        if let Some(end) = line_end(&bytes, 0) {
            return Ok((skipped + end as u64 + 1, bytes.split_off(end + 1)));
        }
        skipped += read as u64;
        if read == 0 {
            return Ok((skipped, Vec::new()));
        }
    }
}

/// Line feeds before `place` in a plain file.
pub(crate) fn lines_before(store: &Store, meta: &ObjectMeta, place: u64, newline: u8) -> Result<u64> {
    let failed = |e: std::io::Error| -> DataFusionError { cannot_read(&store.path(&meta.location), &e) };
    let mut reader = store.bytes(&meta.location, meta.size, 0)?.take(place);
    let mut bytes = vec![0; 1 << 20];
    let mut lines = 0;
    loop {
        let read = fill(&mut reader, &mut bytes).map_err(failed)?;
        lines += memchr::memchr_iter(newline, bytes.get(..read).unwrap_or_default()).count() as u64;
        if read < bytes.len() {
            return Ok(lines);
        }
    }
}
