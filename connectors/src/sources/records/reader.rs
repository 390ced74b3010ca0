//! Reads the records of a file, or of a range of one, into batches.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use super::RecordPlan;
use super::csv::{CsvLayout, Dialect, Field};
use super::error::NOT_UTF8;
use super::error::{Defect, RecordError};
use super::input::{self, Store};
use super::json::{Cursor, JsonDecoder};
use super::layout::{Layout, Surroundings};
use super::options::{OnError, Ragged};
use super::part::{self, Opened, Part, Raw, Shape, hint, lines_before};
use super::rejects::Rejects;
use super::split::{FirstRow, first_row};
use super::types::{Body, Column, Names};

/// Bytes of records per batch, unless a single record has more.
const BATCH_BYTES: usize = 8 << 20;

/// What all files of a partition share.
pub(super) struct Scan {
    pub(super) plan: Arc<RecordPlan>,
    pub(super) store: Store,
    pub(super) layout: Layout,
    /// Maximum number of rows per batch.
    pub(super) batch_rows: usize,
    /// Whether the next batch is read while the consumer processes the current one.
    pub(super) read_ahead: bool,
    pub(super) tally: Tally,
}

/// Counters of a partition.
pub(super) struct Tally {
    rows_rejected: Count,
    values_rejected: Count,
    bytes: Count,
}

impl Tally {
    pub(super) fn new(metrics: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let counter = |name: &'static str| MetricBuilder::new(metrics).counter(name, partition);
        Self {
            rows_rejected: counter("rows_rejected"),
            values_rejected: counter("values_rejected"),
            bytes: counter("bytes_scanned"),
        }
    }
}

const CHANGED: &str = "changed while it was read";

impl Scan {
    /// Opens a file and looks at its beginning.
    fn open(&self, file: &PartitionedFile) -> Result<Opened> {
        let given = self.plan.given();
        part::open(&self.store, &file.object_meta, self.plan.format, &self.plan.options, given.as_deref())
    }

    /// How to read the file of a range: as it was when it was split, which the first range verifies in full. If the plan does
    /// not say, examines the beginning of the file.
    fn shape(&self, file: &PartitionedFile) -> Result<Arc<Shape>> {
        let Some(shape) = file.extensions.get_arc::<Shape>() else { return Ok(Arc::new(self.open(file)?.shape)) };
        let meta = &file.object_meta;
        let (_, coding) = input::open(&self.store, &meta.location, meta.size, &self.plan.options)?;
        if coding != shape.coding {
            return exec_err!("{} {CHANGED}", self.store.path(&meta.location));
        }
        Ok(shape)
    }

    /// Batches of a file.
    pub(super) fn stream(self: Arc<Self>, file: PartitionedFile) -> BoxStream<'static, Result<RecordBatch>> {
        let ahead = self.read_ahead;
        let start = move |mut reader: Box<Reader>| {
            SpawnedTask::spawn_blocking(move || {
                let batch = reader.next_batch()?;
                Ok::<_, DataFusionError>((batch, reader))
            })
        };
        let open = SpawnedTask::spawn_blocking(move || {
            let mut reader = Box::new(Reader::open(self, file)?);
            let batch = reader.next_batch()?;
            Ok::<_, DataFusionError>((batch, reader))
        });
        enum State {
            Running(SpawnedTask<Result<(Option<RecordBatch>, Box<Reader>)>>),
            Idle(Box<Reader>),
        }
        stream::try_unfold(State::Running(open), move |state| async move {
            let task = match state {
                State::Running(task) => task,
                State::Idle(reader) => start(reader),
            };
            let (batch, reader) = task.await.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))??;
            let Some(batch) = batch else { return Ok(None) };
            let next = if ahead { State::Running(start(reader)) } else { State::Idle(reader) };
            Ok::<_, DataFusionError>(Some((batch, next)))
        })
        .into_stream()
        .boxed()
    }
}

/// Decodes located records into values.
enum Decoder {
    Csv(CsvDecoder),
    Json(Box<JsonDecoder>),
    None,
}

/// One file, or a range of one.
struct Reader {
    scan: Arc<Scan>,
    file: PartitionedFile,
    path: String,
    part: Part,
    decoder: Decoder,
    columns: Vec<Column>,
    /// A record that was located but did not fit into the last batch.
    pending: Option<Raw>,
    /// Number of the next record in the file.
    row: u64,
    /// Numbers of the records of this batch.
    rows: Vec<u64>,
    count: usize,
    rejects: Rejects,
    /// Lines before the range.
    lines: Option<u64>,
    done: bool,
}

impl Reader {
    fn open(scan: Arc<Scan>, file: PartitionedFile) -> Result<Self> {
        let plan = Arc::clone(&scan.plan);
        let path = scan.store.path(&file.object_meta.location);
        let fields = plan.schema.fields();
        let column = |&place: &usize| {
            let field = &fields[place];
            Column::try_new(field.name(), field.data_type(), plan.is_declared(field.name()))
        };
        let columns = scan.layout.read.iter().map(column).collect::<Result<Vec<_>>>()?;
        let mut slots = vec![None; fields.len()];
        for (slot, &place) in scan.layout.read.iter().enumerate() {
            slots[place] = Some(slot);
        }
        let range = file.range.as_ref().map(|range| (range.start.unsigned_abs(), range.end.unsigned_abs()));
        let mut row = 0;
        let (shape, part) = match range {
            Some((start, end)) if start > 0 => {
                let shape = scan.shape(&file)?;
                if !shape.coding.is_plain() {
                    return exec_err!("{path} {CHANGED}");
                }
                if scan.layout.needs_rows() {
                    row = match file.extension::<FirstRow>() {
                        Some(FirstRow(row)) => *row,
                        None => first_row(&scan.store, &file.object_meta, &shape, start)?,
                    };
                }
                let part = Part::range(&scan.store, &file.object_meta, &shape.layout, start, end)?;
                (shape, part)
            }
            range => {
                let opened = scan.open(&file)?;
                let shape = Arc::new(opened.shape.clone());
                if file.extension::<Shape>().is_some_and(|planned| *planned != *shape) {
                    return exec_err!("{path} {CHANGED}");
                }
                (shape, Part::whole(opened, range.map(|(_, end)| end)))
            }
        };
        let decoder = match &shape.layout {
            part::Layout::Csv(csv) => Decoder::Csv(CsvDecoder::try_new(csv, &plan, &path, &slots)?),
            part::Layout::Json(_) => {
                let lenient = plan.options.on_error == OnError::Null && !plan.options.rejects;
                Decoder::Json(Box::new(JsonDecoder::new(Names::new(fields), slots, plan.closed, lenient)))
            }
            part::Layout::Nothing => Decoder::None,
        };
        Ok(Self {
            scan,
            file,
            path,
            part,
            decoder,
            columns,
            pending: None,
            row,
            rows: Vec::new(),
            count: 0,
            rejects: Rejects::default(),
            lines: None,
            done: false,
        })
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let rejecting = self.scan.plan.options.rejects;
        let mut bytes = 0;
        while !self.done {
            let filled = if rejecting { self.rejects.len() } else { self.count };
            if filled >= self.scan.batch_rows {
                break;
            }
            let found = match self.pending.take() {
                Some(found) => Some(found),
                None => self.part.find(&self.path)?,
            };
            let Some(found) = found else {
                self.done = true;
                break;
            };
            let length = found.end - found.start;
            if self.count > 0 && bytes + length > BATCH_BYTES {
                self.pending = Some(found);
                if !rejecting {
                    break;
                }
                self.forget();
                bytes = 0;
                continue;
            }
            bytes += length;
            if found.blank && !self.takes_blanks() {
                self.part.pass(&found);
                continue;
            }
            let row = self.row;
            self.row += 1;
            match self.decode(&found) {
                Ok(()) => {
                    self.count += 1;
                    if self.scan.layout.needs_rows() {
                        self.rows.push(row);
                    }
                }
                Err(defect) => {
                    let count = self.count;
                    self.columns.iter_mut().for_each(|column| column.truncate(count));
                    self.reject(&found, &defect)?;
                }
            }
            self.part.pass(&found);
        }
        self.scan.tally.bytes.add(bytes);
        self.part.release(self.pending.as_mut());
        self.finish()
    }

    /// Drops the decoded values, which a table of rejected records does not need.
    fn forget(&mut self) {
        self.columns.iter_mut().for_each(|column| column.truncate(0));
        self.count = 0;
        self.rows.clear();
    }

    fn takes_blanks(&self) -> bool {
        matches!(&self.decoder, Decoder::Csv(csv) if csv.width == 1)
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        let plan = &self.scan.plan;
        if let Decoder::Json(json) = &mut self.decoder {
            self.scan.tally.values_rejected.add(std::mem::take(&mut json.rejected));
        }
        let rejecting = plan.options.rejects;
        let count = if rejecting { self.rejects.len() } else { self.count };
        if count == 0 {
            return Ok(None);
        }
        let rejects = if rejecting { self.rejects.finish(&self.path, plan.views)? } else { Vec::new() };
        let read = match rejecting {
            true => Vec::new(),
            false => self.columns.iter_mut().map(Column::finish).collect::<Result<Vec<_>>>()?,
        };
        let folders = &self.file.partition_values;
        let around = Surroundings { file: &self.path, rows: &self.rows, folders, rejects, count };
        let batch = self.scan.layout.batch(&read, plan.views, &around)?;
        if !rejecting {
            self.count = 0;
            self.rows.clear();
        }
        Ok(Some(batch))
    }

    fn decode(&mut self, found: &Raw) -> Result<(), Defect> {
        if let Some(defect) = &found.defect {
            return Err(defect.clone());
        }
        let text = match self.part.window.text(found.start, found.end) {
            Ok(text) => text,
            Err(bad) => return Err(Defect::record(bad.saturating_sub(found.start), NOT_UTF8)),
        };
        match &mut self.decoder {
            Decoder::Csv(csv) => {
                let Some((dialect, fields)) = self.part.csv() else { return Ok(()) };
                let rejected = csv.record(&self.scan.plan, text, found.start, dialect, fields, &mut self.columns)?;
                if rejected > 0 {
                    self.scan.tally.values_rejected.add(rejected);
                }
            }
            Decoder::Json(json) => {
                let mut cursor = Cursor::record(text);
                json.record(&mut cursor, &mut self.columns)?;
                cursor.end()?;
            }
            Decoder::None => {}
        }
        Ok(())
    }

    fn reject(&mut self, found: &Raw, defect: &Defect) -> Result<()> {
        let scan = Arc::clone(&self.scan);
        let options = &scan.plan.options;
        // After a syntax error in a document, following records cannot be located.
        let lost = self.part.is_document() && found.defect.is_some();
        if options.rejects {
            let (line, place) = (self.line(found, defect)?, self.part.window.place(found.start));
            let raw = self.part.window.bytes().get(found.start..found.end).unwrap_or_default();
            self.rejects.push(line, place, defect.describe(), raw);
            self.done = lost;
            return Ok(());
        }
        if options.on_error == OnError::Fail || lost {
            let line = self.line(found, defect)?;
            let hint =
                if lost { "what follows in the file cannot be told apart" } else { hint(defect, scan.plan.sampled) };
            return Err(RecordError { format: scan.plan.format, file: &self.path, line, defect, hint }.into_error());
        }
        scan.tally.rows_rejected.add(1);
        Ok(())
    }

    /// Line of a defect, from 1.
    fn line(&mut self, found: &Raw, defect: &Defect) -> Result<u64> {
        let before = match self.lines {
            Some(lines) => lines,
            None => {
                let lines = if self.part.from_middle {
                    // The window has counted lines since it began at a known position.
                    let start = self.part.window.began();
                    lines_before(&self.scan.store, &self.file.object_meta, start, self.part.window.newline())?
                } else {
                    0
                };
                self.lines = Some(lines);
                lines
            }
        };
        let at = if matches!(self.decoder, Decoder::Json(_)) { found.start + defect.at } else { found.start };
        Ok(before + self.part.window.line(at.min(self.part.window.bytes().len())) + 1)
    }
}

/// Reads CSV records into columns.
struct CsvDecoder {
    /// The column that each field is read into, if any.
    slots: Vec<Option<usize>>,
    /// Columns that the file does not have.
    missing: Vec<usize>,
    width: usize,
    names: Vec<String>,
}

impl CsvDecoder {
    fn try_new(layout: &CsvLayout, plan: &RecordPlan, path: &str, slots: &[Option<usize>]) -> Result<Self> {
        let fields = plan.schema.fields();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (place, field) in fields.iter().enumerate() {
            places.insert(field.name(), place);
        }
        let mut found = vec![false; fields.len()];
        let mut mapped = Vec::with_capacity(layout.names.len());
        for name in &layout.names {
            let place = places.get(name.as_str()).copied().or_else(|| {
                // The columns of a CREATE TABLE are in lower case unless quoted.
                let alike = |other: &str| other.eq_ignore_ascii_case(name);
                let alone = layout.names.iter().filter(|other| alike(other)).count() == 1;
                if plan.closed && alone { fields.iter().position(|field| alike(field.name())) } else { None }
            });
            if place.is_none() && !plan.closed {
                return exec_err!("{path}, line 1: the column {name} is in no other file that was looked at");
            }
            if let Some(place) = place {
                found[place] = true;
            }
            mapped.push(place.and_then(|place| slots[place]));
        }
        if plan.closed && !found.contains(&true) {
            return exec_err!(
                "{path}, line 1: the header names none of the table's columns: it has {}; give header => false if it is data",
                layout.names.join(", ")
            );
        }
        let missing = found.iter().zip(slots).filter(|(found, _)| !**found).filter_map(|(_, slot)| *slot).collect();
        Ok(Self { slots: mapped, missing, width: layout.names.len(), names: layout.names.clone() })
    }

    /// Appends a record. Returns how many values did not fit and became NULL.
    fn record(
        &self,
        plan: &RecordPlan,
        text: &str,
        start: usize,
        dialect: &Dialect,
        fields: &[Field],
        columns: &mut [Column],
    ) -> Result<usize, Defect> {
        let count = fields.len();
        if count != self.width {
            let trailing = count == self.width + 1 && fields.last().is_some_and(|f| f.start == f.end && !f.quoted);
            let padded = count < self.width && plan.options.ragged == Ragged::Pad;
            if !trailing && !padded {
                return Err(Defect::record(0, wrong_count(count, self.width)));
            }
        }
        let lenient = plan.options.on_error == OnError::Null && !plan.options.rejects;
        let mut rejected = 0;
        for (i, slot) in self.slots.iter().enumerate() {
            let Some(column) = slot.and_then(|slot| columns.get_mut(slot)) else { continue };
            let Some(field) = fields.get(i) else {
                column.null();
                continue;
            };
            let field = Field { start: field.start - start, end: field.end - start, ..*field };
            let raw = text.get(field.start..field.end).unwrap_or_default();
            let is_text = matches!(column.body, Body::Text(_));
            let null =
                if field.quoted { raw.is_empty() && !is_text && column.declared } else { plan.options.is_null(raw) };
            if null {
                column.null();
                continue;
            }
            let read = if field.escaped {
                column.written(|out| dialect.content_into(text, field, out))
            } else {
                column.text(raw)
            };
            if let Err(reason) = read {
                if lenient {
                    column.null();
                    rejected += 1;
                    continue;
                }
                let name = self.names.get(i).map_or("", String::as_str);
                return Err(Defect::value(field.start, reason).within(name));
            }
        }
        for &slot in &self.missing {
            if let Some(column) = columns.get_mut(slot) {
                column.null();
            }
        }
        Ok(rejected)
    }
}

/// Explains why a record with `count` fields does not fit `width` columns.
pub(super) fn wrong_count(count: usize, width: usize) -> String {
    let fields = if count == 1 { "field" } else { "fields" };
    let columns = if width == 1 { "column" } else { "columns" };
    format!("the record has {count} {fields} where there are {width} {columns}")
}
