//! Finds similar pairs within IVF lists.

use std::sync::{Mutex, PoisonError};

use datafusion::common::Result;

use super::cells::Cells;
use super::distinct::Distinct;
use super::parameters::SemanticDedup;
use crate::kernels::union_find::UnionFind;
use crate::kernels::vector::code_scores::CodeScores;
use crate::kernels::vector::codes::Codes;
use crate::kernels::vector::search::at_least;
use crate::operators::workers::Workers;

/// Number of vectors compared at once with a tile of earlier ones.
const BLOCK: usize = 512;
/// Number of earlier vectors in a tile.
const TILE: usize = 1024;

/// Counts of compared pairs.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    /// Pairs of a list's own vectors, and pairs of its own vectors with its visitors.
    pub(super) compared: usize,
    /// Pairs whose exact cosine was computed.
    pub(super) verified: usize,
}

/// Joins the vectors of all similar pairs that meet in a list. One of the two must be the list's own vector; the other may be
/// a visitor.
pub(super) fn join(
    rule: &SemanticDedup,
    distinct: &Distinct,
    cells: &Cells,
    workers: &Workers,
) -> Result<(UnionFind, Counts)> {
    let mut tasks: Vec<(usize, usize)> = vec![];
    for cell in 0..cells.len() {
        tasks.extend((0..cells.size(cell)).step_by(BLOCK).map(|start| (cell, start)));
    }
    // Start with the longest tasks, so that no thread is left with a long one at the end.
    tasks.sort_by_key(|&(cell, start)| std::cmp::Reverse(start.min(cells.own(cell))));
    // The order in which pairs are joined does not matter, because the smallest member represents a set.
    let joined = Mutex::new(UnionFind::new(distinct.squared.len()));
    let found = workers.map(tasks.len(), |task, scratch: &mut Scratch| {
        let Scratch { block, tile, block_rows, tile_rows, scores, buffer, pair } = scratch;
        let (cell, start) = tasks[task];
        let own = cells.own(cell);
        let end = (start + BLOCK).min(cells.size(cell));
        cells.read(cell, start..end, block_rows)?;
        let mut edges = vec![];
        let mut counts = Counts::default();
        // Positions in the list: its own vectors, then those of the block.
        let shift = start.saturating_sub(own);
        let mut local = UnionFind::new(end - shift);
        distinct.codes.gather(block_rows, block, buffer)?;
        for first in (0..end.min(own)).step_by(TILE) {
            workers.check()?;
            let tile_end = (first + TILE).min(end).min(own);
            cells.read(cell, first..tile_end, tile_rows)?;
            distinct.codes.gather(tile_rows, tile, buffer)?;
            scores.fill(block, tile);
            for (at, &later) in block_rows.iter().enumerate() {
                let limit = (start + at).saturating_sub(first).min(tile_end - first);
                counts.compared += limit;
                let (below, above) = scores.certain(at, rule.threshold.get());
                let row = &scores.row(at)[..limit];
                // Use the next smaller value, so that the comparison is safe in 32 bits.
                for there in places_from(row, (below as f32).next_down()) {
                    let (a, b) = ((first + there) as u32, (start + at - shift) as u32);
                    if local.find(a) == local.find(b) {
                        continue;
                    }
                    let earlier = tile_rows[there];
                    let sure = f64::from(row[there]) >= above;
                    counts.verified += usize::from(!sure);
                    if sure || distinct.cosine(earlier, later, pair)? >= rule.threshold.get() {
                        local.union(a, b);
                        edges.push((earlier, later));
                    }
                }
            }
        }
        let mut joined = joined.lock().unwrap_or_else(PoisonError::into_inner);
        edges.into_iter().for_each(|(a, b)| _ = joined.union(a, b));
        Ok(counts)
    })?;
    let mut counts = Counts::default();
    for counted in found {
        counts.compared += counted.compared;
        counts.verified += counted.verified;
    }
    Ok((joined.into_inner().unwrap_or_else(PoisonError::into_inner), counts))
}

/// Buffers that one thread reuses.
#[derive(Default)]
struct Scratch {
    block: Codes,
    tile: Codes,
    block_rows: Vec<u32>,
    tile_rows: Vec<u32>,
    scores: CodeScores,
    buffer: Vec<u8>,
    pair: [Vec<f32>; 2],
}

/// Returns the positions of all cosines of at least `floor`.
fn places_from(row: &[f32], floor: f32) -> Vec<usize> {
    let mut places = vec![];
    at_least(row, floor, |there| places.push(there));
    places
}
