//! Proves pairs byte for byte: finds the canonical bytes of the child's rows among those of the parent.

use std::sync::Arc;

use datafusion::common::{Result, exec_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use hashbrown::HashMap;

use crate::kernels::canonical;
use crate::kernels::row_hash::cell;
use crate::lake::{Lake, Table};
use crate::options::Rows;
use crate::rows::Reader;
use crate::rows::scan::{Values, scan};

/// Bytes of a child's rows held at a time, unless the pool grants less; beyond it the tables are read in several passes.
const HELD: usize = 256 << 20;
/// What a row costs beside its bytes.
const ENTRY: usize = 64;
/// Passes beyond which the memory is too small.
const PASSES: u128 = 256;

/// Appends a row's canonical bytes.
fn encode(values: &[Values], row: usize, out: &mut Vec<u8>) {
    out.clear();
    for column in values {
        canonical::item(out, |out| column.encode(row, out));
    }
}

/// Whether every row of `child` is in `parent`, comparing canonical bytes over the parent's columns in `mapping`, or those
/// with the same names. Reads both tables once for every part of the child that fits in memory.
///
/// # Errors
/// A table cannot be read, or memory is too small.
pub async fn contained(
    lake: &Arc<Lake>,
    reader: &Reader,
    child: &Table,
    parent: &Table,
    mapping: Option<&[u32]>,
    rows: Rows,
) -> Result<bool> {
    let place = |name: &str| parent.columns.iter().position(|column| *column.name == *name);
    let places = match mapping {
        Some(places) => Some(places.iter().map(|&place| place as usize).collect()),
        None => child.columns.iter().map(|column| place(&column.name)).collect::<Option<Vec<usize>>>(),
    };
    let Some(places) = places else { return Ok(false) };
    let mut passes = 1;
    'sizes: while passes <= PASSES {
        let all = passes;
        for pass in 0..all {
            match pass_over(lake, reader, child, parent, (&places, rows), (pass, all)).await? {
                Pass::Contained => {}
                Pass::Missing => return Ok(false),
                Pass::Full => {
                    passes *= 4;
                    continue 'sizes;
                }
            }
        }
        return Ok(true);
    }
    exec_err!("the memory is too small to compare the rows of {} and {} byte for byte", child.name, parent.name)
}

enum Pass {
    Contained,
    Missing,
    Full,
}

async fn pass_over(
    lake: &Arc<Lake>,
    reader: &Reader,
    child: &Table,
    parent: &Table,
    (places, rows): (&[usize], Rows),
    (pass, passes): (u128, u128),
) -> Result<Pass> {
    let held = MemoryConsumer::new("rows compared byte for byte").register(&reader.env().memory_pool);
    let mut bytes = vec![];
    let mut open: HashMap<Box<[u8]>, u64> = HashMap::new();
    let mut full = false;
    let columns: Vec<usize> = (0..child.columns.len()).collect();
    let mut used = 0;
    let mut sink = |count: usize, values: &[Values]| -> Result<()> {
        for row in 0..count {
            encode(values, row, &mut bytes);
            if full || (passes > 1 && cell(&bytes) % passes != pass) {
                continue;
            }
            if let Some(count) = open.get_mut(bytes.as_slice()) {
                *count += u64::from(rows == Rows::Multiset);
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
    };
    scan(&lake.store, child, &columns, reader.form(), &reader.bytes_read, &mut sink).await?;
    if full {
        return Ok(Pass::Full);
    }
    let mut sink = |count: usize, values: &[Values]| -> Result<()> {
        if open.is_empty() {
            return Ok(());
        }
        for row in 0..count {
            encode(values, row, &mut bytes);
            if let Some(count) = open.get_mut(bytes.as_slice()) {
                *count -= 1;
                if *count == 0 {
                    open.remove(bytes.as_slice());
                }
            }
        }
        Ok(())
    };
    scan(&lake.store, parent, places, reader.form(), &reader.bytes_read, &mut sink).await?;
    Ok(if open.is_empty() { Pass::Contained } else { Pass::Missing })
}
