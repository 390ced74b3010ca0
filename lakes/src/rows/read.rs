//! One pass over a table: everything that later stages need of its rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use limpid_udfs::kernels::tables::canonical::Form;
use limpid_udfs::kernels::tables::row_hash::{Fingerprint, column_key, finish};

use super::hashes::{Builder, RowHashes};
use super::scan::scan;
use super::sketch::Sample;
use super::values::ColumnSketch;
use crate::lake::{Lake, Table};

/// Bytes of cell hashes kept, so that tables are not read a second time for projections.
const KEPT: u64 = 512 << 20;

/// What is read of a table.
#[derive(Debug, Clone, Default)]
pub struct ReadPlan {
    /// Columns whose samples are taken.
    pub anchors: Vec<usize>,
    /// Whether row hashes are needed, and not samples alone.
    pub hashes: bool,
    /// Whether projections of the table may be asked for.
    pub project: bool,
    /// Whether columns are sketched one by one.
    pub columns: bool,
}

/// The rows of a table.
pub struct TableRows {
    /// Number and sum.
    pub fingerprint: Fingerprint,
    /// Hashes over all columns.
    pub hashes: RowHashes,
    /// One sample an anchor.
    pub samples: Vec<Sample>,
    /// One sketch a column, where they were asked for.
    pub columns: Vec<ColumnSketch>,
    cells: Option<(Vec<Vec<u128>>, MemoryReservation)>,
    _held: MemoryReservation,
}

/// Reads tables, counting bytes and keeping within the memory pool.
#[derive(Debug)]
pub struct Reader {
    env: Arc<RuntimeEnv>,
    form: Form,
    kept: AtomicU64,
    /// Bytes read.
    pub bytes_read: Arc<AtomicU64>,
    /// Tables read, a table read twice counted twice.
    pub scanned: AtomicU64,
}

/// The factors of a table's columns.
pub fn keys(table: &Table) -> Vec<u128> {
    table.columns.iter().map(|column| column_key(&column.name)).collect()
}

/// The hash of a row from its cells.
#[inline]
fn row_hash<'a>(cells: impl Iterator<Item = (&'a Vec<u128>, &'a u128)>, row: usize) -> u128 {
    finish(cells.fold(0, |sum, (column, key)| sum.wrapping_add(column[row].wrapping_mul(*key))))
}

impl Reader {
    /// A reader within the session's memory pool.
    pub fn new(env: &Arc<RuntimeEnv>, form: Form) -> Self {
        Self {
            env: Arc::clone(env),
            form,
            kept: AtomicU64::new(0),
            bytes_read: Arc::default(),
            scanned: AtomicU64::new(0),
        }
    }

    /// Where temporary files and memory come from.
    pub fn env(&self) -> &Arc<RuntimeEnv> {
        &self.env
    }

    /// The form that values are compared in.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Reads all columns of a table.
    ///
    /// # Errors
    /// The table cannot be read, or changed since it was listed.
    pub async fn read(&self, lake: &Lake, table: &Table, plan: &ReadPlan) -> Result<TableRows> {
        self.scanned.fetch_add(1, Ordering::Relaxed);
        let width = table.columns.len();
        let keys = keys(table);
        let mut samples: Vec<Sample> =
            plan.anchors.iter().map(|&anchor| Sample::new(anchor, width, plan.anchors.len())).collect();
        let mut fingerprint = Fingerprint::default();
        let mut hashes = Builder::new(if plan.hashes { table.rows } else { 0 }, &self.env);
        let mut kept = plan.project.then(|| self.room(table)).flatten();
        let columns: Vec<usize> = (0..width).collect();
        let mut sketches = vec![ColumnSketch::default(); if plan.columns { width } else { 0 }];
        let mut batch: Vec<Vec<u128>> = vec![vec![]; width];
        let mut sink = |rows: usize, values: &[super::scan::Values]| -> Result<()> {
            for (column, values) in batch.iter_mut().zip(values) {
                column.clear();
                values.hashes(rows, |_, hash| column.push(hash));
            }
            for sample in &mut samples {
                sample.add(rows, &batch);
            }
            sketches.iter_mut().zip(&batch).for_each(|(sketch, cells)| sketch.add(cells));
            if plan.hashes {
                for row in 0..rows {
                    let hash = row_hash(batch.iter().zip(&keys), row);
                    fingerprint.add(hash);
                    hashes.push(hash)?;
                }
            }
            if let Some((cells, _)) = &mut kept {
                cells.iter_mut().zip(&batch).for_each(|(all, here)| all.extend(here));
            }
            Ok(())
        };
        scan(&lake.store, table, &columns, self.form, &self.bytes_read, &mut sink).await?;
        let held = MemoryConsumer::new("samples of tables").register(&self.env.memory_pool);
        held.grow(samples.iter().map(Sample::bytes).chain(sketches.iter().map(ColumnSketch::bytes)).sum());
        Ok(TableRows { fingerprint, hashes: hashes.finish()?, samples, columns: sketches, cells: kept, _held: held })
    }

    /// Room for the cells of a table, where the pool and the limit allow.
    fn room(&self, table: &Table) -> Option<(Vec<Vec<u128>>, MemoryReservation)> {
        let bytes = table.rows.checked_mul(16 * table.columns.len() as u64)?;
        if self.kept.fetch_add(bytes, Ordering::Relaxed) + bytes > KEPT {
            self.kept.fetch_sub(bytes, Ordering::Relaxed);
            return None;
        }
        let held = MemoryConsumer::new("cells of tables").register(&self.env.memory_pool);
        held.try_grow(usize::try_from(bytes).ok()?).ok()?;
        let rows = usize::try_from(table.rows).ok()?;
        Some((vec![Vec::with_capacity(rows); table.columns.len()], held))
    }

    /// Row hashes of a table over some of its columns, for each list of columns and the factors that they count by; from
    /// memory, or by one more pass.
    ///
    /// # Errors
    /// Those of reading.
    pub async fn project(
        &self,
        lake: &Lake,
        table: &Table,
        rows: &TableRows,
        projections: &[Vec<(usize, u128)>],
    ) -> Result<Vec<RowHashes>> {
        let mut builders: Vec<Builder> = projections.iter().map(|_| Builder::new(table.rows, &self.env)).collect();
        if let Some((cells, _)) = &rows.cells {
            for (projection, builder) in projections.iter().zip(&mut builders) {
                for row in 0..table.rows as usize {
                    builder.push(row_hash(projection.iter().map(|(column, key)| (&cells[*column], key)), row))?;
                }
            }
            return builders.into_iter().map(Builder::finish).collect();
        }
        self.scanned.fetch_add(1, Ordering::Relaxed);
        let mut columns: Vec<usize> = projections.iter().flatten().map(|(column, _)| *column).collect();
        columns.sort_unstable();
        columns.dedup();
        let places: Vec<Vec<(usize, u128)>> = projections
            .iter()
            .map(|projection| {
                let place = |(column, key): &(usize, u128)| (columns.binary_search(column).unwrap_or(0), *key);
                projection.iter().map(place).collect()
            })
            .collect();
        let mut batch: Vec<Vec<u128>> = vec![vec![]; columns.len()];
        let mut sink = |rows: usize, values: &[super::scan::Values]| -> Result<()> {
            for (column, values) in batch.iter_mut().zip(values) {
                column.clear();
                values.hashes(rows, |_, hash| column.push(hash));
            }
            for (places, builder) in places.iter().zip(&mut builders) {
                for row in 0..rows {
                    builder.push(row_hash(places.iter().map(|(place, key)| (&batch[*place], key)), row))?;
                }
            }
            Ok(())
        };
        scan(&lake.store, table, &columns, self.form, &self.bytes_read, &mut sink).await?;
        builders.into_iter().map(Builder::finish).collect()
    }
}
