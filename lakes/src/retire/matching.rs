//! Where the rows of a file stand in the parent, bit for bit.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::{Array, ArrayRef, AsArray};
use datafusion::common::{Result, exec_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::runtime_env::RuntimeEnv;
use hashbrown::HashMap;
use limpid_udfs::kernels::tables::row_hash::{Fingerprint, cell, finish};
use object_store::ObjectStore;
use roaring::RoaringTreemap;

use super::exact::{Rows, each_batch};
use super::rebuild::assemble;
use crate::lake::Table;
use crate::rows::scan::{Column, scan_columns};

/// Bytes of rows held at a time, unless the pool grants less; beyond it the tables are read in several passes.
const HELD: usize = 256 << 20;
/// What a row costs beside its bytes.
const ENTRY: usize = 64;
/// Passes beyond which the memory is too small.
const PASSES: u128 = 256;

/// The rows of a file among those of its parent.
#[derive(Debug)]
pub struct Matched {
    /// Where each of them is.
    pub rows: RoaringTreemap,
    /// What the file's rows add up to.
    pub fingerprint: Fingerprint,
    /// Whether the file has NULL structs.
    pub null_structs: bool,
}

/// A table and its place.
pub struct Parent<'a> {
    /// The table.
    pub table: &'a Table,
    /// Where its files are.
    pub store: &'a Arc<dyn ObjectStore>,
}

enum Pass {
    Found,
    Missing(u64),
    Full,
}

/// Finds every row of the file at `path` in `parent`, whose columns `places` are the file's leaves. What a row costs is
/// bounded by reading both tables several times.
///
/// # Errors
/// A row that the parent does not have bit for bit, a file that cannot be read, or too little memory.
pub async fn find(path: &Path, parent: &Parent<'_>, places: &[usize], env: &Arc<RuntimeEnv>) -> Result<Matched> {
    let (mut fingerprint, mut null_structs, mut bytes) = (Fingerprint::default(), false, vec![]);
    each_batch(path, |batch| {
        let rows = Rows::try_new(batch.columns())?;
        for row in 0..batch.num_rows() {
            rows.encode(row, &mut bytes);
            fingerprint.add(finish(cell(&bytes)));
        }
        null_structs |= batch.columns().iter().any(has_null_structs);
        Ok(())
    })?;
    let mut passes = 1;
    'sizes: while passes <= PASSES {
        let mut rows = RoaringTreemap::new();
        let all = passes;
        for pass in 0..all {
            match pass_over(path, parent, places, null_structs, (pass, all), env, &mut rows).await? {
                Pass::Found => {}
                Pass::Missing(missing) => {
                    return exec_err!(
                        "{} has not {missing} of its {} rows bit for bit",
                        parent.table.name,
                        fingerprint.rows
                    );
                }
                Pass::Full => {
                    passes *= 4;
                    continue 'sizes;
                }
            }
        }
        return Ok(Matched { rows, fingerprint, null_structs });
    }
    exec_err!("the memory is too small to compare its rows with those of {} bit for bit", parent.table.name)
}

fn has_null_structs(array: &ArrayRef) -> bool {
    let Some(structs) = array.as_struct_opt() else { return false };
    structs.null_count() > 0 || structs.columns().iter().any(has_null_structs)
}

async fn pass_over(
    path: &Path,
    parent: &Parent<'_>,
    places: &[usize],
    null_structs: bool,
    (pass, passes): (u128, u128),
    env: &Arc<RuntimeEnv>,
    found: &mut RoaringTreemap,
) -> Result<Pass> {
    let held = MemoryConsumer::new("rows compared bit for bit").register(&env.memory_pool);
    let mut open: HashMap<Box<[u8]>, u64> = HashMap::new();
    let (mut bytes, mut used, mut full) = (vec![], 0, false);
    let schema = each_batch(path, |batch| {
        let rows = Rows::try_new(batch.columns())?;
        for row in 0..batch.num_rows() {
            rows.encode(row, &mut bytes);
            if full || (passes > 1 && cell(&bytes) % passes != pass) {
                continue;
            }
            if let Some(count) = open.get_mut(bytes.as_slice()) {
                *count += 1;
                continue;
            }
            used += bytes.len() + ENTRY;
            if used > HELD || held.try_grow(bytes.len() + ENTRY).is_err() {
                full = true;
                continue;
            }
            open.insert(bytes.as_slice().into(), 1);
        }
        Ok(())
    })?;
    if full {
        return Ok(Pass::Full);
    }
    let mut before = 0;
    let mut sink = |rows: usize, columns: &[Column]| -> Result<()> {
        let start = before;
        before += rows as u64;
        if open.is_empty() {
            return Ok(());
        }
        let leaves: Vec<ArrayRef> = columns.iter().map(|column| column.array(rows)).collect();
        // A parent's value that the child's type cannot hold is no value of the child, but may stand where none may be NULL.
        let columns = assemble(&schema, &leaves, null_structs, rows)?;
        let exact = Rows::try_new(&columns)?;
        for row in 0..rows {
            exact.encode(row, &mut bytes);
            if let Some(count) = open.get_mut(bytes.as_slice()) {
                found.insert(start + row as u64);
                *count -= 1;
                if *count == 0 {
                    open.remove(bytes.as_slice());
                }
            }
        }
        Ok(())
    };
    scan_columns(parent.store, parent.table, places, &Arc::new(AtomicU64::new(0)), &mut sink).await?;
    Ok(match open.values().sum() {
        0 => Pass::Found,
        missing => Pass::Missing(missing),
    })
}
