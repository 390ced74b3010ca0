//! Locates the rows of a file in the parent, bit for bit.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::{Array, ArrayRef, AsArray};
use datafusion::common::{Result, exec_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::runtime_env::RuntimeEnv;
use hashbrown::HashMap;
use object_store::ObjectStore;
use roaring::RoaringTreemap;

use super::exact::{Print, Rows, Walk, each_batch};
use super::rebuild::assemble;
use crate::kernels::row_hash::cell;
use crate::lake::Table;
use crate::rows::scan::{Column, scan_columns};

/// Bytes of rows held at a time, unless the pool grants less. If more are needed, the tables are read in several passes.
const HELD: usize = 256 << 20;
/// Bytes per row in addition to its content: its place in the map, its number, and its location.
const ENTRY: usize = 128;
/// What one more row of the same bytes costs.
const AGAIN: usize = 32;
/// If more passes would be needed, memory is too small.
const PASSES: u128 = 256;

/// The location of a file's rows in its parent.
#[derive(Debug)]
pub struct Matched {
    /// The position of each row.
    pub rows: RoaringTreemap,
    /// For each of these positions, the number of the file's row there; `None` if positions are in the order of the file.
    pub order: Option<Vec<u64>>,
    /// What the file's rows are.
    pub print: Print,
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

/// Locates every row of the file at `path` in `parent`; `places` are the parent's columns for the file's leaves. First tries
/// the order of rows in the file, then any order. Memory is bounded by reading both tables several times.
///
/// # Errors
/// The parent lacks a row bit for bit, a file cannot be read, or memory is too small.
pub async fn find(path: &Path, parent: &Parent<'_>, places: &[usize], env: &Arc<RuntimeEnv>) -> Result<Matched> {
    let (mut print, mut null_structs, mut bytes) = (Print::default(), false, vec![]);
    each_batch(path, |batch| {
        let rows = Rows::try_new(batch.columns())?;
        for row in 0..batch.num_rows() {
            rows.encode(row, &mut bytes);
            print.add(&bytes);
        }
        null_structs |= batch.columns().iter().any(has_null_structs);
        Ok(())
    })?;
    if let Some(rows) = in_order(path, parent, places, null_structs).await? {
        return Ok(Matched { rows, order: None, print, null_structs });
    }
    let mut passes = 1;
    'sizes: while passes <= PASSES {
        let mut found = Vec::new();
        let all = passes;
        for pass in 0..all {
            match pass_over(path, parent, places, null_structs, (pass, all), env, &mut found).await? {
                Pass::Found => {}
                Pass::Missing(missing) => {
                    return exec_err!(
                        "{} has not {missing} of its {} rows bit for bit",
                        parent.table.name,
                        print.rows.rows
                    );
                }
                Pass::Full => {
                    passes *= 4;
                    continue 'sizes;
                }
            }
        }
        found.sort_unstable();
        let rows = found.iter().map(|(position, _)| *position).collect();
        let order: Vec<u64> = found.into_iter().map(|(_, row)| row).collect();
        let order = (!order.is_sorted()).then_some(order);
        return Ok(Matched { rows, order, print, null_structs });
    }
    exec_err!("the memory is too small to compare its rows with those of {} bit for bit", parent.table.name)
}

/// Where the rows of the file stand, if the parent has them in the same order, others in between. Needs no memory.
async fn in_order(
    path: &Path,
    parent: &Parent<'_>,
    places: &[usize],
    null_structs: bool,
) -> Result<Option<RoaringTreemap>> {
    let mut child = Walk::open(path)?;
    let schema = Arc::clone(child.schema());
    let (mut found, mut bytes, mut before) = (RoaringTreemap::new(), vec![], 0);
    let mut sink = |rows: usize, columns: &[Column]| -> Result<()> {
        let start = before;
        before += rows as u64;
        if child.row().is_none() {
            return Ok(());
        }
        let leaves: Vec<ArrayRef> = columns.iter().map(|column| column.array(rows)).collect();
        let exact = Rows::try_new(&assemble(&schema, &leaves, null_structs, rows)?)?;
        for row in 0..rows {
            let Some(wanted) = child.row() else { break };
            exact.encode(row, &mut bytes);
            if wanted == bytes.as_slice() {
                found.insert(start + row as u64);
                child.advance()?;
            }
        }
        Ok(())
    };
    scan_columns(parent.store, parent.table, places, &Arc::new(AtomicU64::new(0)), &mut sink).await?;
    Ok(child.row().is_none().then_some(found))
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
    found: &mut Vec<(u64, u64)>,
) -> Result<Pass> {
    let held = MemoryConsumer::new("rows compared bit for bit").register(&env.memory_pool);
    // The numbers of the file's rows, by their bytes.
    let mut open: HashMap<Box<[u8]>, VecDeque<u64>> = HashMap::new();
    let (mut bytes, mut used, mut full, mut number) = (vec![], 0, false, 0);
    let schema = each_batch(path, |batch| {
        let rows = Rows::try_new(batch.columns())?;
        for row in 0..batch.num_rows() {
            rows.encode(row, &mut bytes);
            number += 1;
            if full || (passes > 1 && cell(&bytes) % passes != pass) {
                continue;
            }
            let known = open.get_mut(bytes.as_slice());
            let more = if known.is_some() { AGAIN } else { bytes.len() + ENTRY };
            used += more;
            if used > HELD || held.try_grow(more).is_err() {
                full = true;
                continue;
            }
            match known {
                Some(numbers) => numbers.push_back(number - 1),
                None => drop(open.insert(bytes.as_slice().into(), [number - 1].into())),
            }
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
            if let Some(numbers) = open.get_mut(bytes.as_slice()) {
                found.extend(numbers.pop_front().map(|number| (start + row as u64, number)));
                if numbers.is_empty() {
                    open.remove(bytes.as_slice());
                }
            }
        }
        Ok(())
    };
    scan_columns(parent.store, parent.table, places, &Arc::new(AtomicU64::new(0)), &mut sink).await?;
    Ok(match open.values().map(VecDeque::len).sum::<usize>() {
        0 => Pass::Found,
        missing => Pass::Missing(missing as u64),
    })
}
