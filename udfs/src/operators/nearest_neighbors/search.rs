//! The neighbours of blocks of rows.

use std::ops::Range;

use arrow::array::ArrayRef;
use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::metrics::Count;

use super::NearestNeighbors;
use super::cells::Cells;
use crate::kernels::vector::nearest::{Candidates, Nearest, improve_nearest};
use crate::kernels::vector::search::{Best, Rows, Scores};
use crate::storage::vectors::Vectors;

/// Rows of a task: they visit cells together.
pub const BLOCK: usize = 1024;
/// Vectors of a cell compared at once.
const TILE: usize = 1024;

/// Vectors in the order in which they are worked on.
pub struct Ordered {
    /// The vectors.
    pub vectors: Vectors,
    /// The squares of their lengths.
    pub squared: Vec<f64>,
    /// The number of each, which follows the id.
    pub numbers: Vec<u32>,
    /// The id of each, in the order of the numbers.
    pub ids: ArrayRef,
}

impl Ordered {
    /// Some of them.
    pub fn rows<'a>(&'a self, span: &Range<usize>, buffer: &'a mut Vec<f32>) -> Result<Rows<'a>> {
        let values = self.vectors.block(span.start, span.end, buffer)?;
        Ok(Rows { values, squared: &self.squared[span.clone()], dimensions: self.vectors.dimensions() })
    }
}

/// All that the search needs.
pub struct Search {
    /// The arguments.
    pub call: NearestNeighbors,
    /// The rows whose neighbours are wanted; `None`: those that are searched.
    pub queries: Option<Ordered>,
    /// The vectors that are searched, cell by cell.
    pub base: Ordered,
    /// The cells.
    pub cells: Cells,
    /// Cells that a row visits.
    pub probes: usize,
    /// Pairs compared.
    pub compared: Count,
    /// Holds the memory of all this.
    pub _reservation: MemoryReservation,
}

/// Memory of a thread.
#[derive(Default)]
pub struct Scratch {
    tile: Vec<f32>,
    gathered: Vec<f32>,
    squared: Vec<f64>,
    scores: Scores,
    candidates: Candidates,
}

impl Search {
    /// The rows whose neighbours are wanted.
    pub fn queries(&self) -> &Ordered {
        self.queries.as_ref().unwrap_or(&self.base)
    }

    /// The neighbours of rows with these numbers, nearest first, in the cells of their `probes` nearest centroids.
    pub fn neighbors(
        &self,
        rows: Rows<'_>,
        numbers: &[u32],
        probes: usize,
        scratch: &mut Scratch,
    ) -> Result<Vec<Vec<Best>>> {
        let Scratch { tile, gathered, squared, scores, candidates } = scratch;
        let metric = self.call.metric;
        let own = self.queries.is_none();
        let mut found = vec![Nearest::new(self.call.k as usize, self.call.least_score()); rows.len()];
        for (cell, visitors) in visits(rows, self, probes, (scores, candidates)) {
            gathered.clear();
            squared.clear();
            for &at in &visitors {
                gathered.extend_from_slice(rows.row(at as usize));
                squared.push(rows.squared[at as usize]);
            }
            let left = Rows { values: gathered, squared, dimensions: rows.dimensions };
            let cell = self.cells.span(cell);
            for start in cell.clone().step_by(TILE) {
                let part = start..(start + TILE).min(cell.end);
                let right = self.base.rows(&part, tile)?;
                scores.fill(metric, left, right);
                let members = &self.base.numbers[part.clone()];
                for (at, &row) in visitors.iter().enumerate() {
                    let myself = if own { numbers[row as usize] } else { u32::MAX };
                    let number = |there: usize| Some(members[there]).filter(|number| *number != myself);
                    let nearest = &mut found[row as usize];
                    improve_nearest(metric, (left, right), scores, at, number, candidates, nearest);
                }
                self.compared.add(left.len() * right.len());
            }
        }
        let taken = |nearest: Nearest| nearest.found().iter().copied().filter(|b| self.call.takes(b.score)).collect();
        Ok(found.into_iter().map(taken).collect())
    }
}

/// The cells that the rows visit, ascending, each with its visitors: the `probes` cells of the nearest centroids.
fn visits(
    rows: Rows<'_>,
    search: &Search,
    probes: usize,
    (scores, candidates): (&mut Scores, &mut Candidates),
) -> Vec<(usize, Vec<u32>)> {
    let cells = search.cells.len();
    if probes >= cells {
        return (0..cells).map(|cell| (cell, (0..rows.len() as u32).collect())).collect();
    }
    let centroids = search.cells.centroids();
    scores.fill(search.call.metric, rows, centroids);
    let mut pairs = Vec::with_capacity(rows.len() * probes);
    for at in 0..rows.len() {
        let mut nearest = Nearest::new(probes, f64::NEG_INFINITY);
        let number = |there: usize| Some(there as u32);
        improve_nearest(search.call.metric, (rows, centroids), scores, at, number, candidates, &mut nearest);
        pairs.extend(nearest.found().iter().map(|cell| (cell.number, at as u32)));
    }
    pairs.sort_unstable();
    let visits = pairs.chunk_by(|a, b| a.0 == b.0);
    visits.map(|visit| (visit[0].0 as usize, visit.iter().map(|(_, at)| *at).collect())).collect()
}
