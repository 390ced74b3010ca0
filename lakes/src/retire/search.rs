//! Searches the whole lake for rows by their hashes: the last resort if the files that a recipe names were rewritten.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::prelude::SessionContext;
use hashbrown::HashMap;

use super::exact::Rows;
use super::rebuild::{Unordered, assemble, finish, places, strict, template};
use super::recipe::{FileRecipe, read_hashes, short};
use crate::kernels::row_hash::cell;
use crate::lake::{Lake, Table};
use crate::rows::scan::{Column, scan_columns};

/// What a row that is looked for takes: its hash, its number, its place in the map.
const ENTRY: usize = 96;

/// Writes file number `at` of the recipe in `folder` to `to`, using rows of any table of `lake` that has its columns, `first`
/// before the others. Returns the tables in which rows were found. The caller must compare the result with the recipe.
///
/// # Errors
/// No table has one of the rows, or memory is too small for the rows of the file.
pub async fn write(
    recipe: &FileRecipe,
    (folder, at): (&Path, usize),
    (lake, first): (&Lake, &str),
    ctx: &SessionContext,
    to: &Path,
) -> Result<Vec<String>> {
    let (schema, mut writer) = template((folder, at), to)?;
    let hashes = read_hashes(&folder.join(FileRecipe::hashes_file(at)))?;
    let held = MemoryConsumer::new("rows looked for in the lake").register(&ctx.runtime_env().memory_pool);
    held.try_grow(hashes.len() * ENTRY)?;
    let mut wanted: HashMap<u128, Vec<u64>> = HashMap::new();
    for (number, hash) in hashes.iter().enumerate() {
        wanted.entry(*hash).or_default().push(number as u64);
    }
    let mut tables: Vec<&Table> = lake.tables.iter().collect();
    tables.sort_by_key(|table| table.name != first);
    let (mut rows_found, mut order, mut used, mut bytes) = (Unordered::new(ctx), vec![], vec![], vec![]);
    for table in tables {
        let Ok(places) = places(recipe, table) else { continue };
        if wanted.is_empty() {
            break;
        }
        let before = order.len();
        let mut sink = |rows: usize, columns: &[Column]| -> Result<()> {
            if wanted.is_empty() {
                return Ok(());
            }
            let leaves: Vec<ArrayRef> = columns.iter().map(|column| column.array(rows)).collect();
            let columns = assemble(&schema, &leaves, recipe.null_structs, rows)?;
            let (exact, mut here) = (Rows::try_new(&columns)?, vec![]);
            for row in 0..rows {
                exact.encode(row, &mut bytes);
                // A row that the file repeats is taken as often: its bytes are what counts.
                for number in wanted.remove(&short(cell(&bytes))).into_iter().flatten() {
                    here.push(row as u32);
                    order.push(number);
                }
            }
            if here.is_empty() {
                return Ok(());
            }
            let here = UInt32Array::from(here);
            let taken = columns.iter().map(|column| Ok(take(column, &here, None)?)).collect::<Result<Vec<_>>>()?;
            rows_found.push(strict(&schema, taken)?)
        };
        let read = scan_columns(&lake.store, table, &places, &Arc::new(AtomicU64::new(0)), &mut sink).await;
        match read {
            Err(e) if matches!(e.find_root(), DataFusionError::ResourcesExhausted(_)) => return Err(e),
            Err(e) => log::warn!("{}: rows are not looked for there: {e}", table.name),
            Ok(()) => {}
        }
        if order.len() > before {
            used.push(table.name.clone());
        }
    }
    let missing: usize = wanted.values().map(Vec::len).sum();
    if missing > 0 {
        return exec_err!("{missing} of its {} rows are in no table of the lake any more", hashes.len());
    }
    rows_found.write(&order, &mut writer)?;
    finish(writer)?;
    Ok(used)
}
