//! Tables as they were last seen.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, ListBuilder, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, exec_datafusion_err};
use hashbrown::HashMap;
use limpid_udfs::kernels::tables::row_hash::Fingerprint;
use object_store::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::identity;
use crate::lake::{Class, Column, ColumnStats, File, Kind, Lake, Source, Table, logical_type};
use crate::rows::TableRows;
use crate::rows::least::Least;
use crate::rows::sketch::Sample;

/// Rows from which on whole samples are kept: smaller tables are read as fast.
pub const LARGE: u64 = 4096;
/// Rows kept of one sample of a smaller table.
const FEW: usize = 16;

/// A table as it was.
#[derive(Debug, Clone)]
pub struct KnownTable {
    /// What its files were.
    pub identity: String,
    said: Said,
    /// Its samples, if they were taken; of a small table a few rows of one.
    pub samples: Vec<Sample>,
    /// Rows and their sum, where they were read.
    pub fingerprint: Option<Fingerprint>,
    /// Its smallest row hashes, where they were read.
    pub least: Option<Least>,
}

/// What its footers said.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Said {
    kind: Kind,
    rows: u64,
    columns: Vec<SaidColumn>,
    /// Of each file.
    sources: Vec<Vec<Source>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SaidColumn {
    name: String,
    shown: String,
    data_type: String,
    class: Class,
    stats: ColumnStats,
}

/// What two tables that hold each other have in common: the names of their columns, their types where these count, and the
/// number and sum of their rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Likeness {
    columns: Vec<(String, String)>,
    print: Fingerprint,
}

impl Likeness {
    /// Of a table with these rows.
    pub fn of(table: &Table, print: Fingerprint, strict: bool) -> Self {
        let kind = |column: &Column| if strict { logical_type(&column.data_type) } else { String::new() };
        Self { columns: table.columns.iter().map(|column| (column.name.clone(), kind(column))).collect(), print }
    }
}

impl KnownTable {
    /// What it has in common with tables of the same rows, if its rows are known.
    pub fn likeness(&self, strict: bool) -> Option<Likeness> {
        let columns = self.said.columns.iter().map(|column| {
            let kind = if strict { logical_type(&column.data_type.parse().ok()?) } else { String::new() };
            Some((column.name.clone(), kind))
        });
        Some(Likeness { columns: columns.collect::<Option<_>>()?, print: self.fingerprint? })
    }

    /// The table, of these files, which are those that it had; `None` where that is not so after all.
    pub fn table(&self, name: String, files: Vec<ObjectMeta>) -> Option<Table> {
        let columns = self.said.columns.iter().map(|column| {
            Some(Column {
                name: column.name.clone(),
                shown: column.shown.clone(),
                data_type: column.data_type.parse().ok()?,
                class: column.class,
                stats: column.stats.clone(),
            })
        });
        let columns = columns.collect::<Option<Vec<_>>>()?;
        if files.len() != self.said.sources.len() {
            return None;
        }
        let bytes = files.iter().map(|file| file.size).sum();
        let files = files.into_iter().zip(&self.said.sources);
        let files = files.map(|(meta, sources)| File { meta, footer: None, sources: sources.clone() }).collect();
        Some(Table { name, kind: self.said.kind, files, columns, rows: self.said.rows, bytes })
    }
}

fn schema() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    let least = Field::new("least", DataType::Binary, true);
    let samples = Field::new_list("samples", Field::new("item", DataType::Binary, true), false);
    Arc::new(Schema::new(vec![
        text("table", false),
        text("identity", false),
        text("footers", false),
        text("fingerprint", true),
        least,
        samples,
    ]))
}

/// Tables as one batch. Of those that were not read this time, what `before` has of the same files stays.
pub fn write(lake: &Lake, rows: &[Option<TableRows>], before: &HashMap<String, KnownTable>) -> Result<RecordBatch> {
    let (mut names, mut identities, mut footers, mut sums) = (vec![], vec![], vec![], vec![]);
    let mut samples = ListBuilder::new(BinaryBuilder::new());
    let mut leasts = BinaryBuilder::new();
    for (at, table) in lake.tables.iter().enumerate() {
        // A type whose name does not lead back to it: the footer is read again next time.
        let known =
            |column: &Column| column.data_type.to_string().parse::<DataType>().ok().as_ref() == Some(&column.data_type);
        if !table.columns.iter().all(known) {
            continue;
        }
        let said = Said {
            kind: table.kind,
            rows: table.rows,
            columns: table
                .columns
                .iter()
                .map(|column| SaidColumn {
                    name: column.name.clone(),
                    shown: column.shown.clone(),
                    data_type: column.data_type.to_string(),
                    class: column.class,
                    stats: column.stats.clone(),
                })
                .collect(),
            sources: table.files.iter().map(|file| file.sources.clone()).collect(),
        };
        let identity = identity(table.files.iter().map(|file| &file.meta));
        let old = before.get(&table.name).filter(|old| old.identity == identity);
        let read = rows.get(at).and_then(Option::as_ref).filter(|rows| rows.whole);
        let fingerprint = read
            .map(|rows| rows.fingerprint)
            .filter(|f| f.rows == table.rows)
            .or_else(|| old.and_then(|old| old.fingerprint));
        let least = match read.filter(|rows| rows.fingerprint.rows == table.rows) {
            Some(rows) => Some(Least::of(&rows.hashes)?),
            None => old.and_then(|old| old.least.clone()),
        };
        leasts.append_option(least.map(|least| least.to_bytes()));
        let taken = read.map(|rows| &rows.samples).filter(|samples| !samples.is_empty());
        for sample in taken.or_else(|| old.map(|old| &old.samples)).into_iter().flatten() {
            if table.rows >= LARGE {
                samples.values().append_value(sample.to_bytes());
            } else {
                samples.values().append_value(sample.cut(FEW).to_bytes());
                break;
            }
        }
        samples.append(true);
        names.push(table.name.clone());
        identities.push(identity);
        footers.push(serde_json::to_string(&said).map_err(|e| exec_datafusion_err!("cannot write the state: {e}"))?);
        sums.push(fingerprint.map(|print| format!("{} {:032x}", print.rows, print.sum)));
    }
    let samples = samples.finish();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(names)),
        Arc::new(StringArray::from(identities)),
        Arc::new(StringArray::from(footers)),
        Arc::new(StringArray::from(sums)),
        Arc::new(leasts.finish()),
        Arc::new(samples),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

/// Tables by name; `None` where the batches are not what [`write`] makes.
pub fn read(batches: impl Iterator<Item = Option<RecordBatch>>) -> Option<HashMap<String, KnownTable>> {
    let mut tables = HashMap::new();
    for batch in batches {
        let batch = batch?;
        if batch.schema().fields() != schema().fields() {
            return None;
        }
        let text = |at: usize| batch.column(at).as_string::<i32>();
        let (names, identities, footers, sums) = (text(0), text(1), text(2), text(3));
        let (leasts, samples) = (batch.column(4).as_binary::<i32>(), batch.column(5).as_list::<i32>());
        for row in 0..batch.num_rows() {
            let said: Said = serde_json::from_str(footers.value(row)).ok()?;
            let kept = samples.value(row);
            let samples =
                kept.as_binary::<i32>().iter().flatten().map(Sample::from_bytes).collect::<Option<Vec<_>>>()?;
            let fingerprint = match sums.is_valid(row) {
                true => {
                    let (rows, sum) = sums.value(row).split_once(' ')?;
                    Some(Fingerprint { rows: rows.parse().ok()?, sum: u128::from_str_radix(sum, 16).ok()? })
                }
                false => None,
            };
            let least = match leasts.is_valid(row) {
                true => Some(Least::from_bytes(leasts.value(row))?),
                false => None,
            };
            let identity = identities.value(row).to_owned();
            tables.insert(names.value(row).to_owned(), KnownTable { identity, said, samples, fingerprint, least });
        }
    }
    Some(tables)
}
