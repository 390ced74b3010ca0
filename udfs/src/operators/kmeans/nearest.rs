//! Finds the exact nearest centroid of every row and keeps it from round to round. After the first rounds few centroids move.
//! A row whose own centroid did not move need not be compared with others that did not move either.

use std::borrow::Cow;
use std::ops::Range;

use datafusion::common::Result;

use super::problem::{BLOCK, Model, Problem};
use crate::kernels::vector::code_scores::{CodeScores, Panels};
use crate::kernels::vector::codes::{Codes, MOST_DIMENSIONS};
use crate::kernels::vector::search::{Best, NOBODY, Rows, Scores, at_least, largest};
use crate::operators::vectors::codes::CodeStore;
use crate::operators::workers::Workers;

/// Approximate number of dot products that a thread holds at once.
const PRODUCTS: usize = 1 << 18;
/// Minimum number of centroids for which int8 codes speed up the search: first with the codes of the rows already stored,
/// then if they must be computed on the fly.
const CODED: [usize; 2] = [32, 128];
/// Minimum number of dimensions for which an int8 code approximates its vector well enough.
const LEAST_DIMENSIONS: usize = 64;
/// Codes are given up once rows need more than about this many exact scores each.
const OPEN: usize = 12;
/// A block is read as a whole if at least this many of its rows are needed.
const MANY: usize = BLOCK / 4;

/// Computes the int8 codes of all rows to be fitted, if using them would be faster.
pub(super) fn codes(problem: &Problem<'_>, workers: &Workers) -> Result<Option<CodeStore>> {
    if !are_coded(problem, true) {
        return Ok(None);
    }
    CodeStore::new("codes of a fit", problem.vectors, problem.env, workers).map(Some)
}

/// Whether int8 codes speed up the search for nearest centroids. `at_hand` says whether the codes of the rows are stored.
fn are_coded(problem: &Problem<'_>, at_hand: bool) -> bool {
    let least = if at_hand { CODED[0] } else { CODED[1] };
    problem.k >= least && (LEAST_DIMENSIONS..=MOST_DIMENSIONS).contains(&problem.vectors.dimensions())
}

/// What is known about every row between rounds.
pub(super) struct Nearest {
    /// The nearest centroid and its exact score.
    pub best: Vec<Best>,
    /// An upper bound on the scores of all other centroids.
    others: Vec<f32>,
}

/// The centroids to compare rows with.
struct Targets<'a> {
    numbers: Vec<u32>,
    values: Cow<'a, [f32]>,
    squared: Cow<'a, [f64]>,
    dimensions: usize,
    /// Their int8 codes, if codes are used.
    panels: Option<Panels>,
}

impl<'a> Targets<'a> {
    fn all(model: &'a Model, coded: bool) -> Self {
        let numbers = (0..model.squared.len() as u32).collect();
        Self::new(numbers, Cow::Borrowed(&model.centroids), Cow::Borrowed(&model.squared), model.dimensions, coded)
    }

    fn some(model: &Model, numbers: Vec<u32>, coded: bool) -> Self {
        let all = model.rows();
        let values = numbers.iter().flat_map(|&number| all.row(number as usize)).copied().collect();
        let squared = numbers.iter().map(|&number| all.squared[number as usize]).collect();
        Self::new(numbers, values, squared, model.dimensions, coded)
    }

    fn new(numbers: Vec<u32>, values: Cow<'a, [f32]>, squared: Cow<'a, [f64]>, dimensions: usize, coded: bool) -> Self {
        let panels = coded.then(|| Panels::of(&Codes::of(&values, dimensions)));
        Self { numbers, values, squared, dimensions, panels }
    }

    fn rows(&self) -> Rows<'_> {
        Rows { values: &self.values, squared: &self.squared, dimensions: self.dimensions }
    }
}

/// Buffers and counters of one thread.
#[derive(Default)]
struct Scratch {
    block: Vec<f32>,
    row: Vec<f32>,
    bytes: Vec<u8>,
    values: Vec<f32>,
    scores: Scores,
    codes: Codes,
    code_scores: CodeScores,
    margins: Vec<f64>,
    /// Number of rows compared by codes, and number of exact scores this required.
    compared: usize,
    visited: usize,
}

/// The inputs of one round: centroids to compare with and the codes of the rows.
struct Round<'a> {
    problem: &'a Problem<'a>,
    model: &'a Model,
    store: Option<&'a CodeStore>,
    /// All centroids.
    all: Targets<'a>,
    /// The centroids that moved.
    some: Targets<'a>,
    /// For each centroid its position in `some`; `None` if it did not move.
    places: Vec<Option<usize>>,
}

impl Nearest {
    /// Starts without any knowledge about `rows` rows.
    pub(super) fn new(rows: usize) -> Self {
        Self { best: vec![Best::NONE; rows], others: vec![f32::NEG_INFINITY; rows] }
    }

    /// Updates the nearest centroids after some centroids moved. Rows without a known nearest centroid are compared with all,
    /// in O(n k d). The others take O(n m d) for the m centroids that moved, plus the rows that this leaves undecided.
    pub(super) fn update(
        &mut self,
        problem: &Problem<'_>,
        model: &Model,
        store: Option<&CodeStore>,
        moved: &[bool],
        workers: &Workers,
    ) -> Result<()> {
        let coded = are_coded(problem, store.is_some());
        let numbers: Vec<u32> = (0..problem.k as u32).filter(|&number| moved[number as usize]).collect();
        let mut places = vec![None; problem.k];
        numbers.iter().enumerate().for_each(|(place, &number)| places[number as usize] = Some(place));
        let (all, some) = (Targets::all(model, coded), Targets::some(model, numbers, coded));
        let round = Round { problem, model, store, all, some, places };
        let rows = self.best.len();
        let found = workers.map(rows.div_ceil(BLOCK), |block, scratch: &mut Scratch| {
            let span = block * BLOCK..((block + 1) * BLOCK).min(rows);
            let (mut best, mut others) = (self.best[span.clone()].to_vec(), self.others[span.clone()].to_vec());
            round.block(span, &mut best, &mut others, scratch)?;
            Ok((best, others))
        })?;
        let (mut best, mut others) = (self.best.chunks_mut(BLOCK), self.others.chunks_mut(BLOCK));
        for (of_block, bound) in found {
            best.next().unwrap_or_default().copy_from_slice(&of_block);
            others.next().unwrap_or_default().copy_from_slice(&bound);
        }
        Ok(())
    }
}

impl Round<'_> {
    fn block(&self, span: Range<usize>, best: &mut [Best], others: &mut [f32], scratch: &mut Scratch) -> Result<()> {
        let Self { problem, model, .. } = self;
        let vectors = problem.vectors;
        let own_moved = |best: &Best| best.number == NOBODY || self.places[best.number as usize].is_some();
        let mut block = std::mem::take(&mut scratch.block);
        let whole = vectors.are_in_memory() || best.iter().filter(|best| own_moved(best)).count() >= MANY;
        let values = if whole { Some(vectors.block(span.start, span.end, &mut block)?) } else { None };
        let rows = Block { problem, first: span.start, values };
        let (mut open, mut kept) = (vec![], vec![]);
        for (at, best) in best.iter_mut().enumerate() {
            if best.number != NOBODY && own_moved(best) {
                best.score = rows.score(at, &model.rows(), best.number as usize, &mut scratch.row)?;
            }
            let certain = best.number != NOBODY && (!own_moved(best) || best.score > others[at].into());
            if certain { kept.push(at as u32) } else { open.push(at as u32) }
        }
        for &at in &open {
            (best[at as usize], others[at as usize]) = (Best::NONE, f32::NEG_INFINITY);
        }
        self.compare(&rows, &open, &self.all, None, (best, others), scratch)?;
        self.compare(&rows, &kept, &self.some, Some(&self.places), (best, others), scratch)?;
        scratch.block = block;
        Ok(())
    }

    /// Compares rows of a block with `targets`. `places` maps a row's current centroid to its position in `targets`.
    fn compare(
        &self,
        rows: &Block<'_>,
        list: &[u32],
        targets: &Targets<'_>,
        places: Option<&[Option<usize>]>,
        (best, others): (&mut [Best], &mut [f32]),
        scratch: &mut Scratch,
    ) -> Result<()> {
        let step = (PRODUCTS / targets.numbers.len().max(1)).clamp(24, BLOCK);
        for list in list.chunks(step).take_while(|_| !targets.numbers.is_empty()) {
            let numbers: Vec<u32> = list.iter().map(|at| rows.first as u32 + at).collect();
            let squared: Vec<f64> = numbers.iter().map(|&row| self.problem.squared[row as usize]).collect();
            let panels = targets.panels.as_ref().filter(|_| scratch.visited <= OPEN * scratch.compared.max(MANY));
            let Scratch { row, bytes, values, scores, codes, code_scores, margins, compared, visited, .. } =
                &mut *scratch;
            match panels {
                Some(panels) => {
                    match self.store {
                        Some(store) => store.gather(&numbers, codes, bytes)?,
                        None => {
                            codes.clear(targets.dimensions);
                            for &at in list {
                                codes.push(rows.row(at as usize, row)?);
                            }
                        }
                    }
                    code_scores.fill_panels(codes, panels);
                    code_scores.score(self.problem.metric, &squared, &targets.squared, margins);
                    *compared += list.len();
                }
                None => {
                    values.clear();
                    for &at in list {
                        values.extend_from_slice(rows.row(at as usize, row)?);
                    }
                    let here = Rows { values, squared: &squared, dimensions: targets.dimensions };
                    scores.fill(self.problem.metric, here, targets.rows());
                }
            }
            for (place, &at) in list.iter().enumerate() {
                let at = at as usize;
                let own = places.and_then(|places| places[best[at].number as usize]);
                let (near, margin) = match panels {
                    Some(_) => (code_scores.row_mut(place), margins[place]),
                    None => scores.row_mut(place),
                };
                if let Some(own) = own {
                    near[own] = f32::NEG_INFINITY;
                }
                let most = largest(near);
                // A centroid scoring below this floor cannot be as near as the row's current centroid or as the nearest of
                // these targets.
                let floor = ((best[at].score.max(f64::from(most) - margin) - margin) as f32).next_down();
                if most >= floor {
                    let mut candidates = vec![];
                    at_least(near, floor, |there| candidates.push(there));
                    *visited += if panels.is_some() { candidates.len() } else { 0 };
                    for there in candidates {
                        near[there] = f32::NEG_INFINITY;
                        let score = rows.score(at, &targets.rows(), there, row)?;
                        let before = best[at];
                        best[at].offer(score, targets.numbers[there]);
                        let other = if best[at] == before { score } else { before.score };
                        others[at] = others[at].max((other as f32).next_up());
                    }
                }
                let rest = (f64::from(largest(near)) + margin) as f32;
                others[at] = others[at].max(rest.next_up());
            }
        }
        Ok(())
    }
}

/// The rows of a block.
struct Block<'a> {
    problem: &'a Problem<'a>,
    first: usize,
    /// The values of the whole block, if all were read.
    values: Option<&'a [f32]>,
}

impl Block<'_> {
    fn row<'a>(&'a self, at: usize, buffer: &'a mut Vec<f32>) -> Result<&'a [f32]> {
        let dimensions = self.problem.vectors.dimensions();
        match self.values {
            Some(values) => Ok(&values[at * dimensions..(at + 1) * dimensions]),
            None => self.problem.vectors.block(self.first + at, self.first + at + 1, buffer),
        }
    }

    fn score(&self, at: usize, others: &Rows<'_>, there: usize, buffer: &mut Vec<f32>) -> Result<f64> {
        let row = self.row(at, buffer)?;
        let squared = self.problem.squared[self.first + at];
        Ok(self.problem.metric.score(row, others.row(there), squared, others.squared[there]))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::execution::TaskContext;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};

    use super::*;
    use crate::kernels::random::{SplitMix64, unit_interval};
    use crate::kernels::vector::arithmetic::squared_norm;
    use crate::kernels::vector::search::Metric;
    use crate::storage::vectors::VectorStore;

    /// After every round, each row has the nearest of all centroids (ties: the first), whichever centroids moved.
    #[test]
    fn every_round_ends_at_the_nearest_centroids() {
        let cases = [(40, 70, Metric::L2), (40, 70, Metric::Cosine), (150, 65, Metric::Cosine), (9, 5, Metric::L2)];
        for (k, dimensions, metric) in cases {
            for memory in [1 << 30, 200_000] {
                let env = RuntimeEnvBuilder::new()
                    .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory)))
                    .build_arc()
                    .unwrap();
                let mut random = SplitMix64::new(k as u64);
                let mut vector = |spread: f64, centre: &[f32]| -> Vec<f32> {
                    let value = |at: usize| centre.get(at).copied().unwrap_or(1.0);
                    let noise = |random: u64| ((unit_interval(random) - 0.5) * spread) as f32;
                    (0..dimensions).map(|at| value(at) + noise(random.next_u64())).collect()
                };
                let mut model = Model { dimensions, ..Model::default() };
                (0..k).for_each(|_| model.centroids.extend(vector(4.0, &[])));
                // Put two centroids in the same place.
                model.centroids.copy_within(..dimensions, 3 * dimensions);
                let mut store = VectorStore::new("test", &env, SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0));
                let mut squared = vec![];
                for row in 0..3000 {
                    let centre = row % k * dimensions..(row % k + 1) * dimensions;
                    let values = vector(3.0, &model.centroids[centre]);
                    squared.push(squared_norm(&values));
                    store.push(&values).unwrap();
                }
                let vectors = store.finish().unwrap();
                let problem = Problem::of(&vectors, &squared, &env, metric, k);
                let workers = Workers::new(&TaskContext::default());
                let codes = codes(&problem, &workers).unwrap();
                let (mut nearest, mut moved) = (Nearest::new(3000), vec![true; k]);
                for round in 0..6 {
                    model.squared = model.centroids.chunks(dimensions).map(squared_norm).collect();
                    nearest.update(&problem, &model, codes.as_ref(), &moved, &workers).unwrap();
                    let (mut buffer, centroids) = (vec![], model.rows());
                    for (row, found) in nearest.best.iter().enumerate() {
                        let values = vectors.block(row, row + 1, &mut buffer).unwrap();
                        let here = Rows { values, squared: &squared[row..=row], dimensions };
                        let mut expected = Best::NONE;
                        (0..k).for_each(|there| expected.offer(here.score(metric, 0, &centroids, there), there as u32));
                        assert_eq!(*found, expected, "{k} {metric:?} {memory} {round} {row}");
                    }
                    // In each round fewer centroids move, and they move less far.
                    moved = (0..k).map(|centroid| centroid % (round + 1) == 0).collect();
                    for centroid in (0..k).step_by(round + 1) {
                        let place = centroid * dimensions..(centroid + 1) * dimensions;
                        let values = vector(1.5 / (round + 1) as f64, &model.centroids[place.clone()]);
                        model.centroids[place].copy_from_slice(&values);
                    }
                }
            }
        }
    }
}
