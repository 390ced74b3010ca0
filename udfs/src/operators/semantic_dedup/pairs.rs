//! Similar pairs within cells.

use datafusion::common::Result;

use super::Semantic;
use super::cells::Cells;
use super::matcher::Distinct;
use crate::kernels::union_find::UnionFind;
use crate::kernels::vector::search::{Metric, Rows, Scores, at_least};
use crate::operators::call::workers::Workers;

/// Vectors compared at once with a tile of earlier ones.
const BLOCK: usize = 512;
/// Earlier vectors of a tile.
const TILE: usize = 1024;

/// What was counted on the way.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    /// Pairs that share a cell; once for each.
    pub(super) compared: usize,
    /// Pairs whose exact cosine was computed.
    pub(super) verified: usize,
}

/// Joins all vectors of similar pairs that share a cell.
pub(super) fn join(
    rule: &Semantic,
    distinct: &Distinct,
    cells: &Cells,
    workers: &Workers,
) -> Result<(UnionFind, Counts)> {
    let mut tasks: Vec<(usize, usize)> = vec![];
    for cell in 0..cells.len() {
        tasks.extend((0..cells.members(cell).len()).step_by(BLOCK).map(|start| (cell, start)));
    }
    // The longest first, so that no thread is left with a long one at the end.
    tasks.sort_by_key(|&(_, start)| std::cmp::Reverse(start));
    let found = workers.map(tasks.len(), |task, scratch: &mut Scratch| {
        let (cell, start) = tasks[task];
        let members = cells.members(cell);
        let end = (start + BLOCK).min(members.len());
        let mut edges = vec![];
        let mut counts = Counts::default();
        let mut local = UnionFind::new(end);
        scratch.load_block(distinct, &members[start..end])?;
        for tile in (0..end).step_by(TILE) {
            workers.check()?;
            let tile_end = (tile + TILE).min(end);
            scratch.load_tile(distinct, &members[tile..tile_end])?;
            let (own, earlier, scores) = scratch.scored(distinct.vectors.dimensions());
            for at in 0..own.len() {
                let limit = (start + at).saturating_sub(tile).min(earlier.len());
                counts.compared += limit;
                let (row, error) = scores.row(at);
                let (threshold, floor) = (rule.threshold(), ((rule.threshold() - error) as f32).next_down());
                at_least(&row[..limit], floor, |there| {
                    let (a, b) = ((tile + there) as u32, (start + at) as u32);
                    if local.find(a) == local.find(b) {
                        return;
                    }
                    let sure = f64::from(row[there]) >= threshold + error;
                    counts.verified += usize::from(!sure);
                    if sure || own.score(Metric::Cosine, at, &earlier, there) >= threshold {
                        local.union(a, b);
                        edges.push((members[a as usize], members[b as usize]));
                    }
                });
            }
        }
        Ok((edges, counts))
    })?;
    let mut joined = UnionFind::new(distinct.squared.len());
    let mut counts = Counts::default();
    for (edges, counted) in found {
        edges.into_iter().for_each(|(a, b)| _ = joined.union(a, b));
        counts.compared += counted.compared;
        counts.verified += counted.verified;
    }
    Ok((joined, counts))
}

/// Vectors of a block and of a tile, gathered.
#[derive(Default)]
pub(super) struct Scratch {
    block: (Vec<f32>, Vec<f64>),
    tile: (Vec<f32>, Vec<f64>),
    scores: Scores,
}

impl Scratch {
    pub(super) fn load_block(&mut self, distinct: &Distinct, members: &[u32]) -> Result<()> {
        load(distinct, members, &mut self.block)
    }

    pub(super) fn load_tile(&mut self, distinct: &Distinct, members: &[u32]) -> Result<()> {
        load(distinct, members, &mut self.tile)
    }

    /// The block, the tile, and their scores.
    pub(super) fn scored(&mut self, dimensions: usize) -> (Rows<'_>, Rows<'_>, &Scores) {
        let block = Rows { values: &self.block.0, squared: &self.block.1, dimensions };
        let tile = Rows { values: &self.tile.0, squared: &self.tile.1, dimensions };
        self.scores.fill(Metric::Cosine, block, tile);
        (block, tile, &self.scores)
    }
}

fn load(distinct: &Distinct, members: &[u32], into: &mut (Vec<f32>, Vec<f64>)) -> Result<()> {
    distinct.vectors.gather(members, &mut into.0)?;
    into.1.clear();
    into.1.extend(members.iter().map(|&at| distinct.squared[at as usize]));
    Ok(())
}
