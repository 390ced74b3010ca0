//! Counts the rows of a step while they pass.

use std::collections::HashMap;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::Schema;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use limpid_udfs::functions::strings::Strings;

use super::hash::ContentHash;
use super::histogram;
use super::manifest::Part;
use super::tables::floats;
use super::writer::FileEntry;
use crate::report::data::Histogram;

/// Number of reasons distinguished per step; rows with further ones are counted together.
const REASONS: usize = 1_000;

/// The counts of a partition or a whole step.
#[derive(Debug, Default)]
pub struct Counts {
    /// Kept rows.
    pub kept: Tally,
    /// Removed rows.
    pub removed: Tally,
    reasons: HashMap<String, u64>,
    /// Similarities of removed rows to their kept rows.
    pub similarities: Histogram,
}

impl Counts {
    /// Adds what another partition counted.
    pub fn merge(&mut self, other: Self) {
        self.kept.merge(other.kept);
        self.removed.merge(other.removed);
        for (reason, rows) in other.reasons {
            self.count(&reason, rows);
        }
        histogram::merge(&mut self.similarities, &other.similarities);
    }

    /// Combines the counts of a step in two parts: what the first removed and what this one, the second, keeps.
    pub fn after(mut self, first: Self) -> Self {
        self.merge(Self { kept: Tally::default(), ..first });
        self
    }

    /// Counts the reasons and similarities of removed rows.
    pub fn explain(&mut self, removed: &RecordBatch) -> Result<()> {
        let column = |name: &str| removed.column_by_name(name).ok_or_else(|| exec_datafusion_err!("no column {name}"));
        for reason in column("reason")?.as_string::<i32>().iter().flatten() {
            self.count(reason, 1);
        }
        if self.similarities.edges.is_empty() {
            self.similarities = histogram::similarities();
        }
        floats(column("similarity")?).flatten().for_each(|value| histogram::count(&mut self.similarities, value));
        Ok(())
    }

    fn count(&mut self, reason: &str, rows: u64) {
        if let Some(count) = self.reasons.get_mut(reason) {
            *count += rows;
        } else {
            let reason = if self.reasons.len() < REASONS { reason } else { "(other reasons)" };
            *self.reasons.entry(reason.to_owned()).or_insert(0) += rows;
        }
    }

    /// Removed rows by reason, most first.
    pub fn reasons(&self) -> Vec<(String, u64)> {
        let mut reasons: Vec<_> = self.reasons.iter().map(|(reason, rows)| (reason.clone(), *rows)).collect();
        reasons.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        reasons
    }
}

/// Rows of one kind.
#[derive(Debug, Default)]
pub struct Tally {
    /// Their number.
    pub rows: u64,
    /// Bytes of their texts.
    pub bytes: u64,
    lengths: Histogram,
    content: ContentHash,
    /// The files to which they were written.
    pub files: Vec<FileEntry>,
}

impl Tally {
    /// Adds the rows of `batch`; `text` is their text column.
    pub fn add(&mut self, batch: &RecordBatch, text: Option<&str>) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        self.content.add(batch)?;
        if self.lengths.edges.is_empty() {
            self.lengths = histogram::lengths();
        }
        if let Some(column) = text.and_then(|name| batch.column_by_name(name)) {
            self.measure(column)?;
        }
        Ok(())
    }

    fn measure(&mut self, column: &ArrayRef) -> Result<(), DataFusionError> {
        for text in Strings::try_new(column, "the job's text column")?.iter().flatten() {
            self.bytes += text.len() as u64;
            histogram::count(&mut self.lengths, text.chars().count() as f64);
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        histogram::merge(&mut self.lengths, &other.lengths);
        self.content.merge(&other.content);
        self.files.extend(other.files);
    }

    /// The entry for the manifest.
    pub fn part(&self, schema: &Schema) -> Part {
        let mut files = self.files.clone();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let lengths = self.lengths.clone();
        Part { rows: self.rows, bytes: self.bytes, lengths, content: self.content.finish(schema), files }
    }
}
