//! Cuts large files into ranges of whole records, so that all threads read them.

use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::listing::PartitionedFile;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectMeta;

use super::RecordPlan;
use super::csv::split::{Chunk, Ends, Start, look, starts};
use super::input::{Store, cannot_read};
use super::options::JsonLayout;
use super::part::{self, Layout, Shape};

/// Smallest range.
const MIN_RANGE: u64 = 1 << 20;
/// Bytes examined in one step.
const CHUNK: u64 = 4 << 20;

/// Number of the first record of a range in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FirstRow(pub(crate) u64);

/// A range of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub start: u64,
    pub end: u64,
    /// Number of records of the file before it, if they were counted.
    pub row: Option<u64>,
}

/// Divides large files into ranges, so that each of `partitions` receives its share. `rows` says whether record numbers
/// matter.
pub(crate) async fn split(
    plan: &Arc<RecordPlan>,
    store: &Store,
    files: Vec<PartitionedFile>,
    partitions: usize,
    rows: bool,
) -> Result<Vec<PartitionedFile>> {
    let total: u64 = files.iter().map(|file| file.object_meta.size).sum();
    let share = (total / partitions.max(1) as u64).max(MIN_RANGE);
    // In other stores, finding record boundaries would mean fetching the file twice.
    if partitions < 2 || !store.is_local() {
        return Ok(files);
    }
    let mut out = Vec::with_capacity(files.len());
    for file in files {
        let pieces = (file.object_meta.size + share / 2) / share;
        if pieces < 2 {
            out.push(file);
            continue;
        }
        let (plan, store_, meta) = (Arc::clone(plan), store.clone(), file.object_meta.clone());
        let looked = SpawnedTask::spawn_blocking(move || {
            let given = plan.given();
            part::open(&store_, &meta, plan.format, &plan.options, given.as_deref()).map(|opened| opened.shape)
        });
        let shape = Arc::new(looked.await.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))??);
        let ranges = ranges(store, &file.object_meta, &shape, pieces, partitions, rows).await?;
        if ranges.len() < 2 {
            out.push(file);
            continue;
        }
        out.extend(ranges.into_iter().map(|range| {
            let signed = |place: u64| i64::try_from(place).unwrap_or(i64::MAX);
            let mut part = file.clone().with_range(signed(range.start), signed(range.end));
            part.extensions.insert_arc(Arc::clone(&shape));
            match range.row {
                Some(row) => part.with_extension(FirstRow(row)),
                None => part,
            }
        }));
    }
    Ok(out)
}

/// Divides a file into about `pieces` ranges, or leaves it whole if that is not possible.
pub(crate) async fn ranges(
    store: &Store,
    meta: &ObjectMeta,
    shape: &Shape,
    pieces: u64,
    threads: usize,
    rows: bool,
) -> Result<Vec<Range>> {
    let whole = vec![Range { start: 0, end: meta.size, row: Some(0) }];
    let Some((ends, body)) = ends(shape) else { return Ok(whole) };
    let wanted = |piece: u64| u64::try_from(u128::from(meta.size) * u128::from(piece) / u128::from(pieces.max(1)));
    let mut cuts: Vec<Start> = Vec::new();
    if matches!(ends, Ends::Lines) && !rows {
        cuts.extend((1..pieces).filter_map(|piece| wanted(piece).ok()).map(|place| Start { place, row: 0 }));
    } else {
        let chunk = (meta.size / (pieces * 2)).clamp(MIN_RANGE, CHUNK);
        let found = chunks(store, meta, ends, body, meta.size, chunk, threads).await?;
        let (all, _) = starts(found);
        for place in (1..pieces).filter_map(|piece| wanted(piece).ok()) {
            let next = all.iter().find(|start| start.place >= place).copied();
            cuts.extend(next.filter(|next| cuts.last() != Some(next)));
        }
    }
    let counted = rows || !matches!(ends, Ends::Lines);
    let first = Start { place: 0, row: 0 };
    let begins = std::iter::once(first).chain(cuts.iter().copied());
    let stops = cuts.iter().map(|cut| cut.place).chain([meta.size]);
    let range = |(begin, end): (Start, u64)| Range { start: begin.place, end, row: counted.then_some(begin.row) };
    Ok(begins.zip(stops).map(range).collect())
}

/// How the records of a file end and where they start, if they can be located from any position.
fn ends(shape: &Shape) -> Option<(Ends, u64)> {
    if !shape.coding.is_plain() {
        return None;
    }
    let mark = shape.coding.mark;
    match &shape.layout {
        Layout::Csv(csv) if csv.dialect.carriage_returns || csv.dialect.comment.is_some() => None,
        Layout::Csv(csv) => Some((Ends::Csv(csv.dialect, csv.names.len() == 1), mark + csv.body as u64)),
        Layout::Json(JsonLayout::Lines) => Some((Ends::Lines, mark)),
        Layout::Json(JsonLayout::Document) | Layout::Nothing => None,
    }
}

async fn chunks(
    store: &Store,
    meta: &ObjectMeta,
    ends: Ends,
    body: u64,
    end: u64,
    chunk: u64,
    threads: usize,
) -> Result<Vec<Chunk>> {
    let mut tasks = Vec::new();
    let mut start = body;
    while start < end {
        let (store, meta, stop) = (store.clone(), meta.clone(), end.min(start + chunk));
        tasks.push(async move {
            let work = SpawnedTask::spawn_blocking(move || look_at(&store, &meta, ends, body, start, stop));
            work.await.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))?
        });
        start += chunk;
    }
    let looked: Vec<Option<Chunk>> = stream::iter(tasks).buffered(threads.max(1)).try_collect().await?;
    Ok(looked.into_iter().flatten().collect())
}

fn look_at(store: &Store, meta: &ObjectMeta, ends: Ends, body: u64, start: u64, end: u64) -> Result<Option<Chunk>> {
    let mut source = store.bytes(&meta.location, meta.size, start)?;
    look(source.as_mut(), start, end, start == body, ends).map_err(|e| cannot_read(&store.path(&meta.location), &e))
}

/// Records before `place`, the beginning of a record.
pub(crate) fn first_row(store: &Store, meta: &ObjectMeta, shape: &Shape, place: u64) -> Result<u64> {
    let Some((ends, body)) = ends(shape) else { return Ok(0) };
    // The line feed before `place` ends the last line that counts.
    let end = place.saturating_sub(1);
    let mut found = Vec::new();
    let mut start = body;
    while start < end {
        found.extend(look_at(store, meta, ends, body, start, end.min(start + CHUNK))?);
        start += CHUNK;
    }
    Ok(starts(found).1)
}
