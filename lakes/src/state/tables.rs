//! Tables as they were last seen.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, ListBuilder, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, exec_datafusion_err};
use hashbrown::HashMap;
use object_store::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::identity;
use crate::kernels::row_hash::Fingerprint;
use crate::lake::shared::Shared;
use crate::lake::{Class, Column, ColumnStats, File, Kind, Lake, Source, Table, logical_type};
use crate::rows::TableRows;
use crate::rows::least::Least;
use crate::rows::sketch::Sample;

/// Minimum number of rows from which whole samples are kept; smaller tables are read as fast.
pub const LARGE: u64 = 4096;
/// Rows kept of one sample of a smaller table.
pub const FEW: usize = 16;
/// Tables written at a time.
const BATCH: usize = 1024;
/// Number of columns that describe the tables; those after them describe their rows.
pub const HEAD: usize = 4;
/// Columns that say what the rows of the tables are, after the name.
pub const ROWS: [usize; 3] = [0, 4, 5];

/// A table as it was.
#[derive(Debug, Clone)]
pub struct KnownTable {
    /// What its files were.
    pub identity: String,
    kind: Kind,
    rows: u64,
    stays: Option<String>,
    columns: Arc<Vec<Column>>,
    /// Of each file.
    sources: Vec<Arc<[Source]>>,
    /// Number of rows and sum of hashes, if they were read.
    pub fingerprint: Option<Fingerprint>,
    /// Its samples, if they were taken; of a small table a few rows of one.
    pub samples: Vec<Sample>,
    /// Its smallest row hashes, if they were read.
    pub least: Option<Least>,
}

/// What its footers said.
#[derive(Debug, Serialize, Deserialize)]
struct Said {
    kind: Kind,
    rows: u64,
    /// Why it is never set aside.
    stays: Option<String>,
    columns: Vec<SaidColumn>,
    /// Of each file.
    sources: Vec<Vec<Source>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SaidColumn {
    name: String,
    shown: String,
    data_type: String,
    class: Class,
    stats: ColumnStats,
}

/// What two tables that contain each other have in common: column names, types if these matter, and number and sum of rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Likeness {
    columns: Vec<(Arc<str>, String)>,
    print: Fingerprint,
}

impl Likeness {
    /// Of a table with these rows.
    pub fn of(table: &Table, print: Fingerprint, strict: bool) -> Self {
        Self::new(&table.columns, print, strict)
    }

    fn new(columns: &[Column], print: Fingerprint, strict: bool) -> Self {
        let kind = |column: &Column| if strict { logical_type(&column.data_type) } else { String::new() };
        Self { columns: columns.iter().map(|column| (Arc::clone(&column.name), kind(column))).collect(), print }
    }
}

impl KnownTable {
    /// What it has in common with tables of the same rows, if its rows are known.
    pub fn likeness(&self, strict: bool) -> Option<Likeness> {
        Some(Likeness::new(&self.columns, self.fingerprint?, strict))
    }

    /// Restores the table from files that are those it had at this version; `None` if they are not after all.
    pub fn table(&self, name: String, files: Vec<ObjectMeta>, version: Option<u64>) -> Option<Table> {
        if files.len() != self.sources.len() {
            return None;
        }
        let bytes = files.iter().map(|file| file.size).sum();
        let files = files.into_iter().zip(&self.sources).map(|(meta, sources)| File {
            meta,
            footer: None,
            sources: Arc::clone(sources),
            deleted: Arc::default(),
        });
        let (files, columns, stays) = (files.collect(), Arc::clone(&self.columns), self.stays.clone());
        Some(Table { name, kind: self.kind, files, columns, rows: self.rows, bytes, version, stays, held: None })
    }
}

/// The form of the tables.
pub fn schema() -> SchemaRef {
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

/// Encodes tables in batches. For tables that were not read this time, keeps what `before` has about the same files.
pub fn write<'a>(
    lake: &'a Lake,
    rows: &'a [Option<TableRows>],
    before: &'a HashMap<String, KnownTable>,
) -> impl Iterator<Item = Result<RecordBatch>> + 'a {
    let starts = (0..lake.tables.len()).step_by(BATCH);
    starts.map(move |start| batch(lake, rows, before, start..lake.tables.len().min(start + BATCH)))
}

fn batch(
    lake: &Lake,
    rows: &[Option<TableRows>],
    before: &HashMap<String, KnownTable>,
    range: Range<usize>,
) -> Result<RecordBatch> {
    let (mut names, mut identities, mut footers, mut sums) = (vec![], vec![], vec![], vec![]);
    let mut samples = ListBuilder::new(BinaryBuilder::new());
    let mut leasts = BinaryBuilder::new();
    for at in range {
        let table = &lake.tables[at];
        // If the name of a type does not lead back to it, the footer is read again next time.
        let known =
            |column: &Column| column.data_type.to_string().parse::<DataType>().ok().as_ref() == Some(&column.data_type);
        if !table.columns.iter().all(known) {
            continue;
        }
        let column = |column: &Column| SaidColumn {
            name: column.name.to_string(),
            shown: column.shown.to_string(),
            data_type: column.data_type.to_string(),
            class: column.class,
            stats: column.stats.clone(),
        };
        let said = Said {
            kind: table.kind,
            rows: table.rows,
            stays: table.stays.clone(),
            columns: table.columns.iter().map(column).collect(),
            sources: table.files.iter().map(|file| file.sources.to_vec()).collect(),
        };
        let identity = identity(table.files.iter().map(|file| &file.meta), table.version);
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

/// Tables by name, without samples and row hashes; `None` where the batches are not the first columns of what [`write`]
/// makes.
pub fn read(batches: impl Iterator<Item = Option<RecordBatch>>) -> Option<HashMap<String, KnownTable>> {
    let (mut tables, mut shared) = (HashMap::new(), Shared::default());
    for batch in batches {
        let batch = batch?;
        if batch.schema().fields()[..] != schema().fields()[..HEAD] {
            return None;
        }
        let text = |at: usize| batch.column(at).as_string::<i32>();
        let (names, identities, footers, sums) = (text(0), text(1), text(2), text(3));
        for row in 0..batch.num_rows() {
            let said: Said = serde_json::from_str(footers.value(row)).ok()?;
            let columns = said.columns.into_iter().map(|column| {
                Some(Column {
                    name: shared.name(&column.name.into()),
                    shown: shared.name(&column.shown.into()),
                    data_type: column.data_type.parse().ok()?,
                    class: column.class,
                    stats: column.stats,
                })
            });
            let columns = Arc::new(columns.collect::<Option<Vec<_>>>()?);
            let sources = said.sources.into_iter().map(|sources| shared.sources(&sources.into())).collect();
            let fingerprint = match sums.is_valid(row) {
                true => {
                    let (rows, sum) = sums.value(row).split_once(' ')?;
                    Some(Fingerprint { rows: rows.parse().ok()?, sum: u128::from_str_radix(sum, 16).ok()? })
                }
                false => None,
            };
            let table = KnownTable {
                identity: identities.value(row).to_owned(),
                kind: said.kind,
                rows: said.rows,
                stays: said.stays,
                columns,
                sources,
                fingerprint,
                samples: vec![],
                least: None,
            };
            tables.insert(names.value(row).to_owned(), table);
        }
    }
    Some(tables)
}

/// Adds samples and smallest row hashes to tables; `None` where the batches are not what [`write`] makes.
pub fn read_rows(
    tables: &mut HashMap<String, KnownTable>,
    batches: impl Iterator<Item = Option<RecordBatch>>,
) -> Option<()> {
    for batch in batches {
        let batch = batch?;
        let (names, leasts) = (batch.column(0).as_string_opt::<i32>()?, batch.column(1).as_binary_opt::<i32>()?);
        let samples = batch.column(2).as_list_opt::<i32>()?;
        for row in 0..batch.num_rows() {
            let Some(table) = tables.get_mut(names.value(row)) else { continue };
            let kept = samples.value(row);
            table.samples =
                kept.as_binary_opt::<i32>()?.iter().flatten().map(Sample::from_bytes).collect::<Option<_>>()?;
            if leasts.is_valid(row) {
                table.least = Some(Least::from_bytes(leasts.value(row))?);
            }
        }
    }
    Some(())
}
