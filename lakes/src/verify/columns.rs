//! Rejects pairs before whole tables are read: by one column, then two, then three.
//!
//! If a child is contained in a parent, its rows over any of its columns are too. Columns with the most bytes per row are the
//! most selective and are read first. If they reject every pair of a table, nothing else of it is read. What was read is kept
//! and not read again. A true pair is never rejected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use futures::StreamExt;
use hashbrown::{HashMap, HashSet};

use super::sketch::spread;
use crate::graph::Edge;
use crate::graph::schema::SchemaGraph;
use crate::kernels::row_hash::column_key;
use crate::kernels::sorted;
use crate::lake::Lake;
use crate::lake::discover::plain;
use crate::options::Rows;
use crate::rows::read::row_hash;
use crate::rows::{Cells, Reader};
use crate::threads::in_chunks;

/// Columns compared before whole rows are.
const STEPS: usize = 3;
/// Cell hashes kept from one step to the next.
const HELD: usize = 256 << 20;
/// Pairs compared in one task.
const CHUNK: usize = 2048;

/// Compares pairs by single columns.
pub struct Columns {
    lake: Arc<Lake>,
    reader: Arc<Reader>,
    rows: Rows,
    threads: usize,
    /// Tables read at the same time.
    reads: usize,
    cells: Vec<Cells>,
    held: MemoryReservation,
    /// Tables that could not be read, and why.
    pub failed: Vec<(u32, String)>,
}

impl Columns {
    /// Nothing read yet.
    pub fn new(lake: &Arc<Lake>, reader: &Arc<Reader>, rows: Rows, threads: usize, reads: usize) -> Self {
        let held = MemoryConsumer::new("single columns of tables").register(&reader.env().memory_pool);
        Self {
            lake: Arc::clone(lake),
            reader: Arc::clone(reader),
            rows,
            threads,
            reads,
            cells: vec![Cells::new(); lake.tables.len()],
            held,
            failed: vec![],
        }
    }

    /// Lends cells that were read before.
    pub fn lend(&mut self, table: u32, cells: &Cells) {
        self.cells[table as usize].clone_from(cells);
    }

    /// What was read.
    pub fn into_cells(self) -> (Vec<Cells>, MemoryReservation) {
        (self.cells, self.held)
    }

    /// Returns the remaining edges. Columns are read as long as there are `crowded` times as many edges as tables. If most
    /// pairs are true, little is saved and every table is opened more often.
    ///
    /// # Errors
    /// Memory or tasks fail; tables that cannot be read are in `failed`.
    pub async fn refuse(&mut self, graph: &SchemaGraph, mut edges: Vec<Edge>, crowded: f64) -> Result<Vec<Edge>> {
        let lake = Arc::clone(&self.lake);
        let mut orders = None;
        for step in 1..=STEPS {
            let tables: HashSet<u32> = edges.iter().flat_map(|edge| [edge.0, edge.1]).collect();
            if edges.is_empty() || (edges.len() as f64) < crowded * tables.len() as f64 {
                break;
            }
            let (orders, group_of) = orders.get_or_insert_with(|| self::orders(&lake, graph));
            // The edges by the columns that are compared; those of narrow children have nothing to add.
            let mut open: BTreeMap<&[&str], Vec<Edge>> = BTreeMap::new();
            let mut done = vec![];
            for edge in edges {
                let order = orders.get(group_of[edge.0 as usize] as usize);
                match order.and_then(|order| order.get(..step)) {
                    Some(names) => open.entry(names).or_default().push(edge),
                    None => done.push(edge),
                }
            }
            self.read(&open).await?;
            let gone: HashSet<u32> = self.failed.iter().map(|(table, _)| *table).collect();
            for (names, mut some) in open {
                some.retain(|edge| !gone.contains(&edge.0) && !gone.contains(&edge.1));
                done.extend(self.compare(names, some).await?);
            }
            done.retain(|edge| !gone.contains(&edge.0) && !gone.contains(&edge.1));
            edges = done;
        }
        edges.sort_unstable();
        Ok(edges)
    }

    /// Reads what is missing of the columns of these pairs, as far as memory allows.
    async fn read(&mut self, open: &BTreeMap<&[&str], Vec<Edge>>) -> Result<()> {
        let mut wanted: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
        for (names, edges) in open {
            let mut seen = HashSet::new();
            for table in edges.iter().flat_map(|edge| [edge.0, edge.1]).filter(|&table| seen.insert(table)) {
                let places = places(&self.lake, table, names);
                let missing = places.into_iter().filter(|place| !self.cells[table as usize].contains_key(place));
                wanted.entry(table).or_default().extend(missing);
            }
        }
        let mut work = vec![];
        for (table, columns) in wanted.into_iter().filter(|(_, columns)| !columns.is_empty()) {
            let bytes = self.lake.tables[table as usize].rows.saturating_mul(16 * columns.len() as u64);
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            if self.held.size().saturating_add(bytes) <= HELD && self.held.try_grow(bytes).is_ok() {
                work.push((table, columns.into_iter().collect::<Vec<_>>()));
            }
        }
        let (lake, reader) = (Arc::clone(&self.lake), Arc::clone(&self.reader));
        let mut reads = futures::stream::iter(work)
            .map(|(table, columns)| {
                let (lake, reader) = (Arc::clone(&lake), Arc::clone(&reader));
                let task = SpawnedTask::spawn(async move {
                    let read = reader.columns(&lake, &lake.tables[table as usize], &columns).await;
                    (columns, read)
                });
                async move { (table, task.join().await) }
            })
            .buffer_unordered(self.reads);
        while let Some((table, read)) = reads.next().await {
            let (columns, read) = read.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))?;
            match read {
                Ok(read) => {
                    let read = read.into_iter().map(Arc::new);
                    self.cells[table as usize].extend(columns.into_iter().zip(read));
                }
                Err(e) if matches!(e.find_root(), DataFusionError::ResourcesExhausted(_)) => return Err(e),
                Err(e) => self.failed.push((table, plain(&e.to_string()))),
            }
        }
        Ok(())
    }

    /// Returns the pairs whose child is contained in the parent over these columns, and those that memory does not allow to
    /// compare.
    async fn compare(&self, names: &[&str], edges: Vec<Edge>) -> Result<Vec<Edge>> {
        let tables: BTreeSet<u32> = edges.iter().flat_map(|edge| [edge.0, edge.1]).collect();
        let held = MemoryConsumer::new("single columns of tables").register(&self.reader.env().memory_pool);
        let keys: Vec<u128> = names.iter().map(|name| column_key(name)).collect();
        let mut columns: Vec<(u32, Vec<Arc<Vec<u128>>>)> = vec![];
        for table in tables {
            let cells = &self.cells[table as usize];
            let places = places(&self.lake, table, names);
            let read: Vec<_> = places.iter().filter_map(|place| cells.get(place).cloned()).collect();
            let bytes = read.first().map_or(0, |column| column.len() * 16);
            if read.len() == names.len() && held.try_grow(bytes).is_ok() {
                columns.push((table, read));
            }
        }
        let sorted = in_chunks(columns, 8, self.threads, move |some| {
            let hashes = |(table, columns): (u32, Vec<Arc<Vec<u128>>>)| {
                let length = columns.first().map_or(0, |column| column.len());
                let mut hashes: Vec<u128> =
                    (0..length).map(|row| row_hash(columns.iter().map(AsRef::as_ref).zip(&keys), row)).collect();
                hashes.sort_unstable();
                (table, hashes)
            };
            Ok(some.into_iter().map(hashes).collect())
        })
        .await?;
        let sorted: Arc<HashMap<u32, Vec<u128>>> = Arc::new(sorted.into_iter().collect());
        let rows = self.rows;
        in_chunks(edges, CHUNK, self.threads, move |some: Vec<Edge>| {
            let may_be = |(child, parent): &Edge| match (sorted.get(child), sorted.get(parent)) {
                (Some(child), Some(parent)) => sorted::contained(child, parent, rows),
                _ => true,
            };
            Ok(some.into_iter().filter(may_be).collect())
        })
        .await
    }
}

/// Where a table has columns of these names.
fn places(lake: &Lake, table: u32, names: &[&str]) -> Vec<usize> {
    let columns = &lake.tables[table as usize].columns;
    names.iter().filter_map(|name| columns.iter().position(|column| *column.name == **name)).collect()
}

/// For each group of tables the names of its columns, those first that tell most; and the group of each table.
fn orders<'a>(lake: &Lake, graph: &'a SchemaGraph) -> (Vec<Vec<&'a str>>, Vec<u32>) {
    let spread = spread(lake);
    let mut group_of = vec![u32::MAX; lake.tables.len()];
    let mut orders = vec![];
    for (at, group) in graph.groups.iter().enumerate() {
        group.tables.iter().for_each(|&table| group_of[table as usize] = at as u32);
        let mut names: Vec<&str> = group.names.iter().map(|&name| graph.names[name as usize].as_str()).collect();
        names.sort_by(|a, b| spread(b).total_cmp(&spread(a)).then(a.cmp(b)));
        orders.push(names);
    }
    (orders, group_of)
}
