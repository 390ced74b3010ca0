//! Infers the columns of a source from all of its files, using all of their values or samples spread over them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, plan_err};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectMeta;

use super::csv::{CsvLayout, Field as CsvField};
use super::error::NOT_UTF8;
use super::error::{Defect, RecordError};
use super::formats::JSON;
use super::input::Store;
use super::json::{Cursor, observe};
use super::options::{JsonLayout, OnError, Ragged, Sample, text_type};
use super::part::{self, Layout, Part, Shape, hint};
use super::plan::columns;
use super::reader::wrong_count;
use super::split::ranges;
use super::types::{Fields, Observed};
use super::{RecordOptions, RecordPlan};
use crate::compression::Compression;
use crate::sources::files::Format;
use crate::sources::files::PROVENANCE;

/// Files of up to this many bytes in total are examined completely.
const WHOLE: u64 = 64 << 20;
/// Number of bytes examined of larger ones.
const SAMPLE: u64 = 16 << 20;
/// Minimum number of bytes read from each file.
const MIN_SAMPLE: u64 = 64 << 10;
/// Assumed expansion factor of compressed files.
const EXPANSION: u64 = 5;
/// Bytes examined by one thread.
const SHARE: u64 = 8 << 20;
/// Number of lines in the middle of a CSV file that are tried as the start of a record.
const TRIES: usize = 200;

/// A source of which columns are wanted.
pub(crate) struct Request {
    pub store: Store,
    pub files: Vec<ObjectMeta>,
    pub format: Format,
    pub options: RecordOptions,
    /// Columns that the user gave beside those in options.
    pub given: Option<SchemaRef>,
    pub views: bool,
    pub provenance: bool,
    pub threads: usize,
    /// What the user calls the source.
    pub name: String,
}

/// What the beginning of a file showed.
struct Head {
    meta: ObjectMeta,
    shape: Shape,
    parts: Vec<Stretch>,
}

/// A part of a file to examine.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    start: u64,
    end: u64,
    /// Whether `start` may be in the middle of a record.
    guess: bool,
    /// Whether it is meant to cover the whole file.
    all: bool,
}

impl Stretch {
    fn new(start: u64, end: u64) -> Self {
        Self { start, end, guess: false, all: false }
    }
}

/// Observations about the records of a range.
#[derive(Default)]
struct Seen {
    fields: Fields,
    /// Whether there was more than what was to be examined.
    cut: bool,
    /// The first record that cannot be read.
    error: Option<DataFusionError>,
}

/// Infers the columns of a source.
///
/// # Errors
/// There are no columns; a file cannot be opened or its header cannot be read; files disagree on having a header; a type is
/// given for a column that does not exist.
pub(crate) async fn infer(mut request: Request) -> Result<RecordPlan> {
    let (views, provenance, format) = (request.views, request.provenance, request.format);
    let given = match (request.given.take(), &request.options.columns) {
        (Some(_), Some(_)) => {
            return plan_err!("the table has a list of columns and the option columns: give one of them");
        }
        (Some(given), None) => Some(given),
        (None, Some(list)) => Some(Arc::new(columns("columns", list, views)?)),
        (None, None) => None,
    };
    if let Some(schema) = given {
        let provenance = provenance && has_room(&schema);
        let options = request.options;
        let declared = Vec::new();
        return Ok(RecordPlan { format, options, schema, declared, closed: true, sampled: false, provenance, views });
    }
    let declared = match &request.options.types {
        Some(list) => columns("types", list, views)?,
        None => Schema::empty(),
    };
    let files = std::mem::take(&mut request.files).into_iter().filter(|meta| meta.size > 0);
    let mut heads = request.heads(files).await?;
    if format != JSON && request.options.header.is_none() {
        request.agree_on_header(&mut heads).await?;
    }
    request.warn_of_repeated_names(&heads);
    let mut sampled = request.choose_ranges(&mut heads).await?;
    let seen = request.look(heads).await?;
    let mut fields = Fields::default();
    let mut error = None;
    for seen in seen {
        fields.merge(seen.fields);
        sampled |= seen.cut;
        error = error.or(seen.error);
    }
    let inferred = Schema::new(fields.arrow(&text_type(views)));
    if inferred.fields().is_empty() {
        if let Some(error) = error {
            return Err(error);
        }
        return plan_err!(
            "the files of '{}' hold no rows, so their columns are unknown (the option columns can name them)",
            request.name
        );
    }
    let schema = Arc::new(with_types(&inferred, &declared)?);
    let provenance = provenance && has_room(&schema);
    warn_of_names_alike(&schema, &request.name);
    let declared = declared.fields().iter().map(|field| field.name().clone()).collect();
    let options = request.options;
    Ok(RecordPlan { format, options, schema, declared, closed: false, sampled, provenance, views })
}

fn with_types(inferred: &Schema, declared: &Schema) -> Result<Schema> {
    if let Some(field) = declared.fields().iter().find(|field| inferred.index_of(field.name()).is_err()) {
        let names: Vec<&str> = inferred.fields().iter().map(|field| field.name().as_str()).collect();
        return plan_err!("option types names the column {}, the files have {}", field.name(), names.join(", "));
    }
    let field = |field: &Arc<Field>| match declared.field_with_name(field.name()) {
        Ok(declared) => Arc::new(declared.clone()),
        Err(_) => Arc::clone(field),
    };
    Ok(Schema::new(inferred.fields().iter().map(field).collect::<Vec<_>>()))
}

/// Whether provenance columns can be added: not if the files have such a column themselves, which is then the one meant.
fn has_room(schema: &Schema) -> bool {
    PROVENANCE.iter().all(|name| schema.index_of(name).is_err())
}

fn warn_of_names_alike(schema: &Schema, source: &str) {
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    for field in schema.fields() {
        if let Some(other) = known.insert(field.name().to_lowercase(), field.name()) {
            log::warn!("'{source}' has the columns {other} and {}: they are kept apart", field.name());
        }
    }
}

impl Request {
    /// Looks at the beginnings of files.
    async fn heads(&self, files: impl Iterator<Item = ObjectMeta>) -> Result<Vec<Head>> {
        let mut tasks = Vec::new();
        for meta in files {
            let (store, options, format) = (self.store.clone(), self.options.clone(), self.format);
            tasks.push(blocking(move || {
                let shape = part::open(&store, &meta, format, &options, None)?.shape;
                Ok(Head { meta, shape, parts: Vec::new() })
            }));
        }
        stream::iter(tasks).buffered(self.threads.max(1) * 2).try_collect().await
    }

    fn warn_of_repeated_names(&self, heads: &[Head]) {
        for head in heads {
            if let Layout::Csv(csv) = &head.shape.layout
                && !csv.repeated.is_empty()
            {
                let (path, names) = (self.store.path(&head.meta.location), csv.repeated.join(", "));
                log::warn!("{path} has columns of the same name ({names}): the later ones are renamed");
            }
        }
    }

    /// Either all files have a header or none has.
    async fn agree_on_header(&mut self, heads: &mut [Head]) -> Result<()> {
        let csv = |head: &Head| match &head.shape.layout {
            Layout::Csv(csv) => Some((csv.header, csv.sure)),
            _ => None,
        };
        let with = heads.iter().filter(|head| csv(head).is_some_and(|(header, _)| header));
        let with: Vec<(&Head, bool)> = with.map(|head| (head, csv(head).is_some_and(|(_, sure)| sure))).collect();
        let without = heads.iter().filter(|head| csv(head).is_some_and(|(header, _)| !header));
        let without: Vec<(&Head, bool)> = without.map(|head| (head, csv(head).is_some_and(|(_, sure)| sure))).collect();
        let header = match (with.as_slice(), without.as_slice()) {
            (_, []) => true,
            ([], _) => false,
            (with, without) if with.iter().all(|(_, sure)| !sure) && without.iter().any(|(_, sure)| *sure) => false,
            ([(with, _), ..], [(without, _), ..]) => {
                let path = |head: &Head| self.store.path(&head.meta.location);
                return plan_err!(
                    "{} seems to have a header and {} none: give header => true or false",
                    path(with),
                    path(without)
                );
            }
        };
        self.options.header = Some(header);
        let mut others: Vec<&mut Head> =
            heads.iter_mut().filter(|head| csv(head).is_some_and(|(own, _)| own != header)).collect();
        let files: Vec<ObjectMeta> = others.iter().map(|head| head.meta.clone()).collect();
        for (head, found) in others.iter_mut().zip(self.heads(files.into_iter()).await?) {
            **head = found;
        }
        Ok(())
    }

    /// Chooses what to examine. Returns whether that is less than everything.
    async fn choose_ranges(&self, heads: &mut [Head]) -> Result<bool> {
        let estimate = |head: &Head| match head.shape.coding.compression {
            Compression::None => head.meta.size,
            _ => head.meta.size.saturating_mul(EXPANSION),
        };
        let total: u64 = heads.iter().map(&estimate).sum();
        let budget = match self.options.sample {
            Sample::All => u64::MAX,
            Sample::Auto if total <= WHOLE => u64::MAX,
            Sample::Auto => SAMPLE,
            Sample::Bytes(bytes) => bytes,
        };
        let share = if total <= budget { u64::MAX } else { (budget / heads.len().max(1) as u64).max(MIN_SAMPLE) };
        let mut sampled = false;
        for head in heads {
            let size = head.meta.size;
            let lines =
                head.shape.coding.is_plain() && !matches!(head.shape.layout, Layout::Json(JsonLayout::Document));
            head.parts = if estimate(head) <= share {
                if lines && self.store.is_local() && size >= 2 * SHARE {
                    let ranges =
                        ranges(&self.store, &head.meta, &head.shape, size / SHARE, self.threads, false).await?;
                    ranges.into_iter().map(|range| Stretch::new(range.start, range.end)).collect()
                } else {
                    // The content size of a compressed file is only known after reading it.
                    vec![Stretch { all: true, ..Stretch::new(0, budget.max(WHOLE)) }]
                }
            } else if lines {
                sampled = true;
                let (half, quarter) = (share / 2, share / 4);
                let middle = Stretch::new(size / 2, size / 2 + quarter);
                let last = Stretch::new(size.saturating_sub(quarter).max(middle.end), size);
                vec![Stretch::new(0, half), Stretch { guess: true, ..middle }, Stretch { guess: true, ..last }]
            } else {
                sampled = true;
                vec![Stretch::new(0, share)]
            };
        }
        Ok(sampled)
    }

    async fn look(&self, heads: Vec<Head>) -> Result<Vec<Seen>> {
        let mut tasks = Vec::new();
        for head in heads {
            let head = Arc::new(head);
            for &stretch in &head.parts {
                let (store, options, format) = (self.store.clone(), self.options.clone(), self.format);
                let looker = Looker { store, options, format, head: Arc::clone(&head) };
                tasks.push(blocking(move || looker.look(stretch)));
            }
        }
        stream::iter(tasks).buffered(self.threads.max(1)).try_collect().await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    SpawnedTask::spawn_blocking(work).await.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))?
}

struct Looker {
    store: Store,
    options: RecordOptions,
    format: Format,
    head: Arc<Head>,
}

impl Looker {
    fn look(&self, stretch: Stretch) -> Result<Seen> {
        let meta = &self.head.meta;
        let path = self.store.path(&meta.location);
        let mut part = match stretch.start {
            0 => Part::whole(part::open(&self.store, meta, self.format, &self.options, None)?, None),
            start => Part::range(&self.store, meta, &self.head.shape.layout, start, u64::MAX)?,
        };
        let mut seen = Seen::default();
        match &self.head.shape.layout {
            Layout::Csv(csv) => {
                if stretch.guess && !find_record(&mut part, csv.names.len(), &path)? {
                    return Ok(seen);
                }
                self.csv(&mut part, csv, stretch, &path, &mut seen)?;
            }
            Layout::Json(_) => self.json(&mut part, stretch, &path, &mut seen)?,
            Layout::Nothing => {}
        }
        Ok(seen)
    }

    fn csv(&self, part: &mut Part, csv: &CsvLayout, stretch: Stretch, path: &str, seen: &mut Seen) -> Result<()> {
        let width = csv.names.len();
        let mut columns = vec![Observed::default(); width];
        while let Some(found) = part.find(path)? {
            if part.window.place(found.start) >= stretch.end {
                seen.cut = stretch.all;
                break;
            }
            let defect = match (&found.defect, part.window.text(found.start, found.end), part.csv()) {
                (Some(defect), ..) => Some(defect.clone()),
                (None, Err(_), _) => Some(Defect::record(0, NOT_UTF8)),
                (None, Ok(text), Some((dialect, fields))) if !found.blank => {
                    let short = fields.len() < width && self.options.ragged == Ragged::Pad;
                    let trailing =
                        fields.len() == width + 1 && fields.last().is_some_and(|f| f.start == f.end && !f.quoted);
                    if fields.len() == width || short || trailing {
                        for (field, column) in fields.iter().zip(&mut columns) {
                            let field =
                                CsvField { start: field.start - found.start, end: field.end - found.start, ..*field };
                            let raw = text.get(field.start..field.end).unwrap_or_default();
                            match (!field.quoted && self.options.is_null(raw), field.escaped) {
                                (true, _) => {}
                                (false, false) => column.csv(raw),
                                (false, true) => column.csv(&dialect.content(text, field)),
                            }
                        }
                        None
                    } else {
                        Some(Defect::record(0, wrong_count(fields.len(), width)))
                    }
                }
                _ => None,
            };
            if let (Some(defect), false) = (defect, stretch.guess) {
                seen.fail(self.format, path, part, &found, &defect);
            }
            part.pass(&found);
        }
        let mut fields = Fields::default();
        for (name, observed) in csv.names.iter().zip(columns) {
            let place = fields.place(name, usize::MAX);
            if let Some(column) = fields.get_mut(place) {
                column.merge(observed);
            }
        }
        seen.fields = fields;
        Ok(())
    }

    fn json(&self, part: &mut Part, stretch: Stretch, path: &str, seen: &mut Seen) -> Result<()> {
        let strict = self.options.on_error == OnError::Fail && !self.options.rejects;
        while let Some(found) = part.find(path)? {
            if part.window.place(found.start) >= stretch.end {
                seen.cut = stretch.all;
                break;
            }
            let looked = match (&found.defect, part.window.text(found.start, found.end)) {
                (Some(defect), _) => Err(defect.clone()),
                (None, Err(bad)) => Err(Defect::record(bad.saturating_sub(found.start), NOT_UTF8)),
                (None, Ok(text)) => {
                    let mut cursor = Cursor::record(text);
                    // A record that is skipped says nothing about types.
                    let good =
                        if strict { Ok(()) } else { Cursor::record(text).skip(self.options.on_error == OnError::Skip) };
                    good.and_then(|()| observe(&mut cursor, &mut seen.fields)).and_then(|()| cursor.end())
                }
            };
            if let Err(defect) = looked {
                seen.fail(self.format, path, part, &found, &defect);
                if part.is_document() && found.defect.is_some() {
                    break;
                }
            }
            part.pass(&found);
        }
        Ok(())
    }
}

impl Seen {
    fn fail(&mut self, format: Format, file: &str, part: &Part, found: &part::Raw, defect: &Defect) {
        if self.error.is_none() && !part.from_middle {
            let at = if format == JSON { found.start + defect.at } else { found.start };
            let line = part.window.line(at.min(part.window.bytes().len())) + 1;
            let hint = hint(defect, false);
            self.error = Some(RecordError { format, file, line, defect, hint }.into_error());
        }
    }
}

/// Advances to what is probably the start of a record: several records of the right width follow.
fn find_record(part: &mut Part, width: usize, path: &str) -> Result<bool> {
    part.find(path)?;
    let mut fields = Vec::new();
    let Some((dialect, _)) = part.csv() else { return Ok(false) };
    let dialect = *dialect;
    let bytes = part.window.bytes();
    let lines: BTreeSet<usize> = memchr::memchr_iter(b'\n', bytes).take(TRIES).map(|end| end + 1).collect();
    let good = lines.into_iter().find(|&start| {
        let mut at = start;
        for _ in 0..10 {
            match dialect.next(bytes, at, false, &mut fields) {
                super::csv::Next::Record { next, .. } if fields.len() == width => at = next,
                super::csv::Next::More if at > start => return true,
                _ => return false,
            }
        }
        true
    });
    if let Some(start) = good {
        part.window.advance(start);
    }
    Ok(good.is_some())
}
