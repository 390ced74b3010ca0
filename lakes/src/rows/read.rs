//! One pass over a table: everything that later stages need of its rows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::common::{Result, exec_datafusion_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use hashbrown::{HashMap, HashSet};

use super::hashes::{Builder, RowHashes};
use super::scan::{Values, scan};
use super::sketch::Sample;
use super::values::ColumnSketch;
use crate::kernels::canonical::Form;
use crate::kernels::row_hash::{Fingerprint, column_key, finish};
use crate::lake::{Lake, Table};

/// Maximum number of bytes of cell hashes kept, which avoid reading tables a second time for projections.
const KEPT: u64 = 512 << 20;

/// Number of rows processed at a time if all columns were read before.
const BATCH: usize = 8192;

/// Cell hashes of some columns of a table, by column index, in row order.
pub type Cells = HashMap<usize, Arc<Vec<u128>>>;

/// What is read of a table.
#[derive(Debug, Clone, Default)]
pub struct ReadPlan {
    /// Columns whose samples are taken.
    pub anchors: Vec<usize>,
    /// Maximum number of rows in a sample, if less than its capacity.
    pub sampled: Option<usize>,
    /// Whether row hashes are needed in addition to samples.
    pub hashes: bool,
    /// Whether projections of the table may be asked for.
    pub project: bool,
    /// Whether columns are sketched one by one.
    pub columns: bool,
    /// The columns that count, if not all do.
    pub only: Option<BTreeSet<usize>>,
}

/// The rows of a table.
pub struct TableRows {
    /// Number and sum.
    pub fingerprint: Fingerprint,
    /// Hashes over all columns.
    pub hashes: RowHashes,
    /// One sample per anchor.
    pub samples: Vec<Sample>,
    /// One sketch per column, if requested.
    pub columns: Vec<ColumnSketch>,
    /// Whether all columns were read: samples of some are of no use to another comparison.
    pub whole: bool,
    cells: Option<(Cells, MemoryReservation)>,
    _held: MemoryReservation,
}

impl TableRows {
    /// The upper halves of the row hashes over some columns, given with their factors, where cell hashes were kept.
    pub fn projected(&self, columns: &[(usize, u128)]) -> Option<HashSet<u64>> {
        let cells = self.cells()?;
        let columns = columns.iter().map(|(column, key)| Some((cells.get(column)?.as_ref(), key)));
        let columns: Vec<(&Vec<u128>, &u128)> = columns.collect::<Option<_>>()?;
        let rows = columns.first().map_or(0, |(cells, _)| cells.len());
        Some((0..rows).map(|row| (row_hash(columns.iter().copied(), row) >> 64) as u64).collect())
    }

    /// Lets go of cell hashes.
    pub fn forget_cells(&mut self) {
        self.cells = None;
    }

    /// Cell hashes, if they were kept.
    pub fn cells(&self) -> Option<&Cells> {
        self.cells.as_ref().map(|(cells, _)| cells)
    }
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
pub fn row_hash<'a>(cells: impl Iterator<Item = (&'a Vec<u128>, &'a u128)>, row: usize) -> u128 {
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

    /// Reads a table as planned; columns in `known` were read before.
    ///
    /// # Errors
    /// The table cannot be read, or changed since it was listed.
    pub async fn read(&self, lake: &Lake, table: &Table, plan: &ReadPlan, known: Cells) -> Result<TableRows> {
        let width = table.columns.len();
        let counts = |column: &usize| plan.only.as_ref().is_none_or(|only| only.contains(column));
        let whole = (0..width).all(|column| counts(&column));
        let keys = keys(table);
        let mut kept = plan.project.then(|| self.room(table, (0..width).filter(counts).count())).flatten();
        let held = MemoryConsumer::new("samples of tables").register(&self.env.memory_pool);
        let mut hashes = Builder::new(if plan.hashes { table.rows } else { 0 }, &self.env);
        let mut fingerprint = Fingerprint::default();
        if plan.project && kept.is_none() && !plan.hashes {
            // Its projections are read together later; a pass for samples alone is not worth it.
            let (hashes, samples, columns) = (hashes.finish()?, vec![], vec![]);
            return Ok(TableRows { fingerprint, hashes, samples, columns, whole: false, cells: None, _held: held });
        }
        let sample = |&anchor: &usize| {
            let sample = Sample::new(anchor, width, plan.anchors.len());
            plan.sampled.map_or_else(|| sample.clone(), |most| sample.cut(most))
        };
        let mut samples: Vec<Sample> = plan.anchors.iter().map(sample).collect();
        let mut sketches = vec![ColumnSketch::default(); if plan.columns { width } else { 0 }];
        let mut all: Vec<Vec<u128>> = match kept {
            Some(_) => (0..width)
                .map(|column| Vec::with_capacity(if counts(&column) { table.rows as usize } else { 0 }))
                .collect(),
            None => vec![],
        };
        let missing: Vec<usize> = (0..width).filter(|column| counts(column) && !known.contains_key(column)).collect();
        let mut batch: Vec<Vec<u128>> = vec![vec![]; width];
        let mut at = 0;
        let mut sink = |rows: usize, values: &[Values]| -> Result<()> {
            for (column, cells) in batch.iter_mut().enumerate() {
                cells.clear();
                if let Ok(place) = missing.binary_search(&column) {
                    values[place].hashes(rows, |_, hash| cells.push(hash));
                } else if let Some(known) = known.get(&column) {
                    let known = known.get(at..at + rows);
                    cells.extend(known.ok_or_else(|| exec_datafusion_err!("it has more rows than its footers say"))?);
                } else {
                    cells.resize(rows, 0);
                }
            }
            at += rows;
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
            all.iter_mut().zip(&batch).enumerate().filter(|(column, _)| counts(column)).for_each(|(_, (all, here))| {
                all.extend(here);
            });
            Ok(())
        };
        if missing.is_empty() {
            let rows = table.rows as usize;
            for start in (0..rows).step_by(BATCH) {
                sink(BATCH.min(rows - start), &[])?;
            }
        } else {
            self.scanned.fetch_add(1, Ordering::Relaxed);
            scan(&lake.store, table, &missing, self.form, &self.bytes_read, &mut sink).await?;
        }
        held.grow(samples.iter().map(Sample::bytes).chain(sketches.iter().map(ColumnSketch::bytes)).sum());
        let cells = kept.take().map(|held| {
            let cells = all.into_iter().enumerate().filter(|(column, _)| counts(column));
            (cells.map(|(column, cells)| (column, Arc::new(cells))).collect(), held)
        });
        Ok(TableRows { fingerprint, hashes: hashes.finish()?, samples, columns: sketches, whole, cells, _held: held })
    }

    /// Cell hashes of single columns.
    ///
    /// # Errors
    /// Those of reading.
    pub async fn columns(&self, lake: &Lake, table: &Table, columns: &[usize]) -> Result<Vec<Vec<u128>>> {
        let mut all = vec![Vec::with_capacity(table.rows as usize); columns.len()];
        let mut sink = |rows: usize, values: &[Values]| -> Result<()> {
            for (all, values) in all.iter_mut().zip(values) {
                values.hashes(rows, |_, hash| all.push(hash));
            }
            Ok(())
        };
        scan(&lake.store, table, columns, self.form, &self.bytes_read, &mut sink).await?;
        Ok(all)
    }

    /// Reserves memory for the cells of that many columns of a table, if the pool and the limit allow.
    fn room(&self, table: &Table, columns: usize) -> Option<MemoryReservation> {
        let bytes = table.rows.checked_mul(16 * columns as u64)?;
        if self.kept.fetch_add(bytes, Ordering::Relaxed) + bytes > KEPT {
            self.kept.fetch_sub(bytes, Ordering::Relaxed);
            return None;
        }
        let held = MemoryConsumer::new("cells of tables").register(&self.env.memory_pool);
        held.try_grow(usize::try_from(bytes).ok()?).ok()?;
        Some(held)
    }

    /// Row hashes of a table over several lists of columns with their factors, computed from memory or in one more pass.
    ///
    /// # Errors
    /// Reading fails.
    pub async fn project(
        &self,
        lake: &Lake,
        table: &Table,
        rows: &TableRows,
        projections: &[Vec<(usize, u128)>],
    ) -> Result<Vec<RowHashes>> {
        let mut builders: Vec<Builder> = projections.iter().map(|_| Builder::new(table.rows, &self.env)).collect();
        let all = projections.iter().flatten();
        if let Some(cells) = rows.cells().filter(|cells| all.into_iter().all(|(column, _)| cells.contains_key(column)))
        {
            for (projection, builder) in projections.iter().zip(&mut builders) {
                let columns: Vec<(&Vec<u128>, &u128)> =
                    projection.iter().filter_map(|(column, key)| Some((cells.get(column)?.as_ref(), key))).collect();
                for row in 0..table.rows as usize {
                    builder.push(row_hash(columns.iter().copied(), row))?;
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
        let mut sink = |rows: usize, values: &[Values]| -> Result<()> {
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
