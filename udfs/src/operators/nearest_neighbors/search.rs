//! Searches the neighbours of blocks of rows.

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

/// Rows per task, which visit lists together. The more rows, the fewer times a list is read.
const BLOCK: std::ops::RangeInclusive<usize> = 1024..=8192;
/// Maximum number of pairs that a task returns.
const PAIRS: usize = 1 << 17;
/// Number of tasks for large inputs.
const TASKS: usize = 64;
/// Number of vectors of a list compared at once.
const TILE: usize = 1024;
/// Approximate number of row-centroid dot products that a thread holds at once.
const PRODUCTS: usize = 1 << 18;

/// Vectors in the order in which they are processed.
pub struct Ordered {
    /// The vectors.
    pub vectors: Vectors,
    /// Their squared lengths.
    pub squared: Vec<f64>,
    /// The number of each vector; numbers follow the order of ids.
    pub numbers: Vec<u32>,
    /// The id of each vector, by its number.
    pub ids: ArrayRef,
}

impl Ordered {
    /// A view of the vectors in `span`.
    pub fn rows<'a>(&'a self, span: &Range<usize>, buffer: &'a mut Vec<f32>) -> Result<Rows<'a>> {
        let values = self.vectors.block(span.start, span.end, buffer)?;
        Ok(Rows { values, squared: &self.squared[span.clone()], dimensions: self.vectors.dimensions() })
    }
}

/// Everything that the search needs.
pub struct Search {
    /// The arguments.
    pub call: NearestNeighbors,
    /// The rows whose neighbours are wanted; `None` if these are the searched rows themselves.
    pub queries: Option<Ordered>,
    /// The searched vectors, list by list.
    pub base: Ordered,
    /// Their int8 codes.
    pub codes: CodeStore,
    /// The IVF lists.
    pub cells: Cells,
    /// The int8 codes of their centroids.
    pub centroids: Codes,
    /// Number of lists that a row visits.
    pub probes: usize,
    /// Number of compared pairs.
    pub compared: Count,
    /// The memory reservation of all of the above.
    pub _reservation: MemoryReservation,
}

/// Buffers that one thread reuses.
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
    /// Rows per task. It does not affect results.
    pub fn block(&self) -> usize {
        let rows = self.queries().numbers.len() / TASKS;
        rows.clamp(*BLOCK.start(), *BLOCK.end()).min((PAIRS / self.call.k.max(1) as usize).max(64))
    }

    /// The rows whose neighbours are wanted.
    pub fn queries(&self) -> &Ordered {
        self.queries.as_ref().unwrap_or(&self.base)
    }

    /// Returns the neighbours of the rows with these numbers, nearest first, searching the lists of their `probes` nearest
    /// centroids.
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

    /// Returns the nearest proposed positions for row `at`, by exact score.
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

    /// Returns the lists that the rows visit, ascending, each with its visiting rows. A row visits the first `probes` lists
    /// by [`Self::order`]. Leaves the int8 codes of the rows in `scratch`.
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

    /// For each row whose int8 code is in `scratch`, calls `visit` with its `first` lists, nearest centroid first (ties: the
    /// earlier list). Nearness is approximated by the codes; an error can only miss a neighbour, never add a wrong one.
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
