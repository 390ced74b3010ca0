//! The neighbours of blocks of rows.

use std::ops::Range;

use arrow::array::ArrayRef;
use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::metrics::Count;

use super::cells::Cells;
use super::parameters::NearestNeighbors;
use crate::kernels::vector::code_scores::CodeScores;
use crate::kernels::vector::codes::Codes;
use crate::kernels::vector::nearest::Nearest;
use crate::kernels::vector::proposals::Proposals;
use crate::kernels::vector::search::{Best, Rows};
use crate::operators::vectors::codes::CodeStore;
use crate::storage::vectors::Vectors;

/// Rows of a task, which visit cells together: the more, the fewer times a cell is read.
const BLOCK: std::ops::RangeInclusive<usize> = 1024..=8192;
/// Pairs that a task gives at most.
const PAIRS: usize = 1 << 17;
/// Tasks for all rows, where there are many.
const TASKS: usize = 64;
/// Vectors of a cell compared at once.
const TILE: usize = 1024;
/// Products of rows and centroids held at once by a thread, about.
const PRODUCTS: usize = 1 << 18;

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
    /// Their codes.
    pub codes: CodeStore,
    /// The cells.
    pub cells: Cells,
    /// The codes of their centroids.
    pub centroids: Codes,
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
    rows: Codes,
    visitors: Codes,
    tile: Codes,
    buffer: Vec<f32>,
    bytes: Vec<u8>,
    squared: Vec<f64>,
    scores: CodeScores,
    margins: Vec<f64>,
}

impl Search {
    /// Rows of a task. What is found does not depend on it.
    pub fn block(&self) -> usize {
        let rows = self.queries().numbers.len() / TASKS;
        rows.clamp(*BLOCK.start(), *BLOCK.end()).min((PAIRS / self.call.k.max(1) as usize).max(64))
    }

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
        let metric = self.call.metric;
        let own = self.queries.is_none();
        let mut found = vec![Proposals::new(self.call.k as usize, self.call.least_score()); rows.len()];
        let visits = self.visits(rows, probes, scratch);
        let Scratch { rows: codes, visitors: here, tile, buffer, bytes, squared, scores, margins } = scratch;
        for (cell, visitors) in visits {
            here.clear(rows.dimensions);
            squared.clear();
            for &at in &visitors {
                here.extend(codes, at as usize..at as usize + 1);
                squared.push(rows.squared[at as usize]);
            }
            let cell = self.cells.span(cell);
            for start in cell.clone().step_by(TILE) {
                let part = start..(start + TILE).min(cell.end);
                self.codes.range(part.clone(), tile, bytes)?;
                scores.fill(here, tile);
                scores.score(metric, squared, &self.base.squared[part.clone()], margins);
                let members = &self.base.numbers[part.clone()];
                for (at, &row) in visitors.iter().enumerate() {
                    let myself = if own { numbers[row as usize] } else { u32::MAX };
                    let place = |there: usize| (members[there] != myself).then_some((start + there) as u32);
                    found[row as usize].take(scores.row(at), margins[at], place);
                }
                self.compared.add(visitors.len() * part.len());
            }
        }
        let exact = |(at, proposals)| self.exact(rows, at, proposals, buffer);
        found.into_iter().enumerate().map(exact).collect()
    }

    /// The nearest of the proposed places of row `at`.
    fn exact(&self, rows: Rows<'_>, at: usize, proposals: Proposals, buffer: &mut Vec<f32>) -> Result<Vec<Best>> {
        let mut nearest = Nearest::new(self.call.k as usize, self.call.least_score());
        for (most, place) in proposals.finish() {
            if most < nearest.floor() {
                break;
            }
            let place = place as usize;
            let other = self.base.vectors.block(place, place + 1, buffer)?;
            let score = self.call.metric.score(rows.row(at), other, rows.squared[at], self.base.squared[place]);
            nearest.offer(score, self.base.numbers[place]);
        }
        Ok(nearest.found().iter().copied().filter(|best| self.call.takes(best.score)).collect())
    }

    /// The cells that the rows visit, ascending, each with its visitors: the `probes` cells that come first by [`Self::order`].
    /// Leaves the codes of the rows in `scratch`.
    fn visits(&self, rows: Rows<'_>, probes: usize, scratch: &mut Scratch) -> Vec<(usize, Vec<u32>)> {
        scratch.rows.clear(rows.dimensions);
        rows.values.chunks_exact(rows.dimensions.max(1)).for_each(|row| scratch.rows.push(row));
        let cells = self.cells.len();
        if probes >= cells {
            return (0..cells).map(|cell| (cell, (0..rows.len() as u32).collect())).collect();
        }
        let mut pairs = Vec::with_capacity(rows.len() * probes);
        self.order(rows, probes, scratch, |at, cells| pairs.extend(cells.iter().map(|cell| (cell.1, at))));
        pairs.sort_unstable();
        let visits = pairs.chunk_by(|a, b| a.0 == b.0);
        visits.map(|visit| (visit[0].0 as usize, visit.iter().map(|(_, at)| *at).collect())).collect()
    }

    /// Calls `visit` for each of the rows, whose codes are in `scratch`, with the `first` cells by the nearness of their
    /// centroids to it; of equally near ones the earlier comes first. The codes decide: a miss is all that they can cause.
    pub fn order(
        &self,
        rows: Rows<'_>,
        first: usize,
        scratch: &mut Scratch,
        mut visit: impl FnMut(u32, &[(f32, u32)]),
    ) {
        let Scratch { rows: codes, visitors: part, squared, scores, margins, .. } = scratch;
        let mut order: Vec<(f32, u32)> = vec![];
        let step = (PRODUCTS / self.cells.len().max(1)).clamp(24, *BLOCK.start());
        for start in (0..rows.len()).step_by(step) {
            let end = (start + step).min(rows.len());
            part.clear(rows.dimensions);
            part.extend(codes, start..end);
            squared.clear();
            squared.extend_from_slice(&rows.squared[start..end]);
            scores.fill(part, &self.centroids);
            scores.score(self.call.metric, squared, self.cells.centroids().squared, margins);
            for at in 0..end - start {
                order.clear();
                order.extend(scores.row(at).iter().zip(0..).map(|(score, cell)| (*score, cell)));
                let before = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
                if first < order.len() {
                    order.select_nth_unstable_by(first.max(1) - 1, before);
                    order.truncate(first);
                } else {
                    order.sort_unstable_by(before);
                }
                visit((start + at) as u32, &order);
            }
        }
    }
}
