//! Stores the results of a comparison in the lake for the next one.
//!
//! `_limpid/state/tables.parquet` holds what footers say about each table, its fingerprint, its smallest row hashes and, for
//! large tables, samples; `edges.parquet` holds the containments. A table is known as long as its files have the same paths,
//! sizes, times and tags. The next comparison reads of known tables only what pairs with new and changed tables need, and
//! reuses the containments between known tables.

mod tables;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::common::{Result, exec_datafusion_err};
use hashbrown::HashMap;
use object_store::ObjectMeta;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use xxhash_rust::xxh3::Xxh3;

use crate::kernels::canonical;
use crate::lake::discover::KnownTables;
use crate::lake::{Lake, Table};
use crate::options::Options;
use crate::rows::TableRows;
use crate::verify::{Evidence, Found, State};
pub use tables::{FEW, KnownTable, LARGE, Likeness};

const TABLES: &str = "tables.parquet";
const EDGES: &str = "edges.parquet";
/// Name of the options that the edges were found by.
const OPTIONS: &str = "limpid:options";
/// Version of the form of both files.
const VERSION: u32 = 5;
/// Rows of a row group of both: what is held while they are written.
const GROUP: usize = 1 << 14;

/// What is known of a lake.
#[derive(Debug, Default)]
pub struct Known {
    /// Tables by name.
    pub tables: HashMap<String, KnownTable>,
    /// Containments by the names of child and parent.
    edges: Vec<KnownEdge>,
    /// Whether the containments were found by the same options.
    pub comparable: bool,
}

#[derive(Debug, Clone)]
struct KnownEdge {
    child: String,
    parent: String,
    bytes: bool,
    rows: u64,
    through: Option<String>,
}

/// What tells a table's files from others: their paths, sizes, times and tags, and the version that a log gives them.
pub fn identity<'a>(files: impl Iterator<Item = &'a ObjectMeta>, version: Option<u64>) -> String {
    let mut hash = Xxh3::new();
    if let Some(version) = version {
        hash.update(&version.to_le_bytes());
    }
    for file in files {
        hash.update(file.location.as_ref().as_bytes());
        hash.update(&[0]);
        hash.update(&file.size.to_le_bytes());
        hash.update(&file.last_modified.timestamp_nanos_opt().unwrap_or_default().to_le_bytes());
        hash.update(file.e_tag.as_deref().unwrap_or_default().as_bytes());
        hash.update(&[0]);
    }
    format!("{:032x}", hash.digest128())
}

/// Where the state of the lake in `root` lies.
pub fn folder(root: &Path) -> PathBuf {
    root.join("_limpid").join("state")
}

/// The options that decide which pairs are found.
fn key(options: &Options) -> String {
    let Options { stage, rows, types, names, layout, threshold, .. } = options;
    format!("{VERSION} {} {stage:?} {rows:?} {types:?} {names:?} {layout:?} {threshold}", canonical::VERSION)
}

/// The part of them that decides what a table looks like.
fn reading(options: &Options) -> String {
    format!("{VERSION} {} {:?} {:?} {:?}", canonical::VERSION, options.types.form(), options.names, options.layout)
}

impl Known {
    /// Reads the state. Nothing is known if there is none, or if it is damaged or has other options.
    pub fn read(root: &Path, options: &Options) -> Self {
        let folder = folder(root);
        let head: Vec<usize> = (0..tables::HEAD).collect();
        let tables = batches(&folder.join(TABLES), &reading(options), &head).and_then(tables::read);
        let Some(tables) = tables else { return Self::default() };
        let all: Vec<usize> = (0..edges_schema().fields().len()).collect();
        let edges = batches(&folder.join(EDGES), &key(options), &all).and_then(read_edges);
        let comparable = edges.is_some();
        Self { tables, edges: edges.unwrap_or_default(), comparable }
    }

    /// Reads what is known about the tables' rows, which is only needed if there is something new to compare with. If it is
    /// damaged, nothing is known about rows.
    pub fn read_rows(&mut self, root: &Path, options: &Options) {
        let (path, options) = (folder(root).join(TABLES), reading(options));
        let batches = batches(&path, &options, &tables::ROWS);
        if batches.and_then(|batches| tables::read_rows(&mut self.tables, batches)).is_none() {
            for table in self.tables.values_mut() {
                (table.samples, table.least) = (vec![], None);
            }
        }
    }

    /// The containments between tables of `lake` that did not change.
    pub fn between(&self, lake: &Lake, changed: &[bool]) -> Vec<Found> {
        let places: HashMap<&str, u32> =
            lake.tables.iter().enumerate().map(|(at, table)| (table.name.as_str(), at as u32)).collect();
        let place = |name: &str| places.get(name).copied().filter(|&at| !changed[at as usize]);
        let found = self.edges.iter().filter_map(|edge| {
            let (child, parent) = (place(&edge.child)?, place(&edge.parent)?);
            let through = edge.through.as_deref().and_then(|name| places.get(name).copied());
            Some(Found {
                child,
                parent,
                state: if edge.bytes { State::ByteExact } else { State::HashExact },
                evidence: through.map_or(Evidence::Rows, Evidence::Through),
                similarity: Some(1.0),
                interval: None,
                rows: Some((edge.rows, edge.rows)),
                mapping: None,
            })
        });
        found.collect()
    }

    /// The containments of table `at`, which has the rows that `name` had: those of `name` with unchanged tables, with the
    /// number of rows if `at` is the parent.
    pub fn of(&self, name: &str, at: u32, lake: &Lake, changed: &[bool]) -> Vec<((u32, u32), Option<u64>)> {
        let place = |name: &str| {
            let at = lake.tables.binary_search_by(|table| table.name.as_str().cmp(name)).ok()?;
            (!changed[at]).then_some(at as u32)
        };
        let found = self.edges.iter().filter_map(|edge| {
            let (found, rows) = if edge.child == name {
                ((at, place(&edge.parent)?), None)
            } else if edge.parent == name {
                ((place(&edge.child)?, at), Some(edge.rows))
            } else {
                return None;
            };
            (found.0 != found.1).then_some((found, rows))
        });
        found.collect()
    }

    /// Writes what a comparison found out; each file appears whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(
        &self,
        root: &Path,
        lake: &Lake,
        rows: &[Option<TableRows>],
        found: &[Found],
        options: &Options,
    ) -> Result<()> {
        let folder = folder(root);
        limpid_io::create_dir_all(&folder)
            .map_err(|e| exec_datafusion_err!("cannot write {}: {e}", folder.display()))?;
        // The edges speak of the tables: a state without edges is one that knows none.
        limpid_io::remove_file(&folder.join(EDGES)).or_else(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(e),
        })?;
        let tables = tables::write(lake, rows, &self.tables);
        write(&folder.join(TABLES), tables::schema(), tables, &reading(options))?;
        write(&folder.join(EDGES), edges_schema(), std::iter::once(write_edges(lake, found)), &key(options))
    }
}

impl KnownTables for Known {
    fn table(&self, name: &str, files: &[&ObjectMeta], version: Option<u64>) -> Option<Table> {
        let before = self.tables.get(name)?;
        let same = before.identity == identity(files.iter().copied(), version);
        same.then(|| before.table(name.to_owned(), files.iter().copied().cloned().collect(), version)).flatten()
    }
}

/// Reads some columns of a file in batches, if it has these options; yields `None` if it is damaged.
fn batches(path: &Path, options: &str, columns: &[usize]) -> Option<impl Iterator<Item = Option<RecordBatch>>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).ok()?).ok()?;
    let pairs = builder.metadata().file_metadata().key_value_metadata()?;
    let same = pairs.iter().any(|pair| pair.key == OPTIONS && pair.value.as_deref() == Some(options));
    if !same || columns.iter().any(|&column| column >= builder.schema().fields().len()) {
        return None;
    }
    let mask = ProjectionMask::roots(builder.parquet_schema(), columns.iter().copied());
    Some(builder.with_projection(mask).build().ok()?.map(std::result::Result::ok))
}

fn write(
    path: &Path,
    schema: SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch>>,
    options: &str,
) -> Result<()> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP))
        .set_key_value_metadata(Some(vec![KeyValue::new(OPTIONS.to_owned(), options.to_owned())]))
        .build();
    crate::whole::write(path, |file| {
        let mut writer = ArrowWriter::try_new(file, schema, Some(properties))?;
        for batch in batches {
            writer.write(&batch?)?;
        }
        writer.close()?;
        Ok(())
    })
}

fn edges_schema() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    let rows = Field::new("rows", DataType::Int64, false);
    Arc::new(Schema::new(vec![
        text("child", false),
        text("parent", false),
        text("state", false),
        rows,
        text("through", true),
    ]))
}

fn write_edges(lake: &Lake, found: &[Found]) -> Result<RecordBatch> {
    let name = |table: u32| lake.tables[table as usize].name.as_str();
    let texts =
        |of: &dyn Fn(&Found) -> Option<String>| Arc::new(StringArray::from_iter(found.iter().map(of))) as ArrayRef;
    let rows = found.iter().map(|edge| edge.rows.map_or(0, |(rows, _)| rows as i64));
    let through = |edge: &Found| match edge.evidence {
        Evidence::Through(table) => Some(name(table).to_owned()),
        _ => None,
    };
    let arrays: Vec<ArrayRef> = vec![
        texts(&|edge| Some(name(edge.child).to_owned())),
        texts(&|edge| Some(name(edge.parent).to_owned())),
        texts(&|edge| Some(edge.state.name().to_owned())),
        Arc::new(Int64Array::from_iter_values(rows)),
        texts(&through),
    ];
    Ok(RecordBatch::try_new(edges_schema(), arrays)?)
}

fn read_edges(batches: impl Iterator<Item = Option<RecordBatch>>) -> Option<Vec<KnownEdge>> {
    let mut edges = vec![];
    for batch in batches {
        let batch = batch?;
        if batch.schema().fields() != edges_schema().fields() {
            return None;
        }
        let text = |at: usize| batch.column(at).as_string::<i32>();
        let (rows, through) = (batch.column(3).as_primitive::<Int64Type>(), text(4));
        for row in 0..batch.num_rows() {
            edges.push(KnownEdge {
                child: text(0).value(row).to_owned(),
                parent: text(1).value(row).to_owned(),
                bytes: text(2).value(row) == State::ByteExact.name(),
                rows: rows.value(row) as u64,
                through: through.is_valid(row).then(|| through.value(row).to_owned()),
            });
        }
    }
    Some(edges)
}
