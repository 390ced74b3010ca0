//! Squared distances from the candidates for the initial centroids.

use std::ops::Range;

use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};

use super::problem::{BLOCK, Problem};
use crate::kernels::vector::arithmetic::{add_scaled, squared_norm};
use crate::kernels::vector::code_scores::{CodeScores, Panels};
use crate::kernels::vector::codes::{Codes, MOST_DIMENSIONS};
use crate::kernels::vector::search::Metric;
use crate::operators::workers::Workers;

/// Vectors with at least this many dimensions are quantised to int8.
const ROUNDED: usize = 64;
/// A squared distance below this fraction of the summed squared lengths counts as zero: the int8 codes are equal.
const EQUAL: f64 = 1e-6;
/// Work is divided among threads from this many multiplications on.
const SHARED: usize = 1 << 23;

/// Squared distances of rows from candidates, capped at each row's distance from the centroids chosen so far.
pub(super) struct Distances<'a> {
    problem: &'a Problem<'a>,
    rows: usize,
    rounded: Option<Rounded>,
}

/// Int8 codes of the rows after subtracting their mean. Approximate distances suffice here: candidates are drawn at random
/// anyway, and rows are later assigned by exact distances. Subtracting the mean spends the 8 bits on what tells rows apart
/// rather than on what they share.
struct Rounded {
    mean: Vec<f64>,
    lengths: Vec<f64>,
    /// Empty if memory is short. The codes are then computed again for every call, with the same result.
    panels: Vec<Panels>,
    _reservation: MemoryReservation,
}

impl<'a> Distances<'a> {
    /// Prepares distances for the first `rows` rows.
    pub(super) fn new(problem: &'a Problem<'a>, rows: usize, workers: &Workers) -> Result<Self> {
        let dimensions = problem.vectors.dimensions();
        let rounded = match (ROUNDED..=MOST_DIMENSIONS).contains(&dimensions) {
            true => Some(Rounded::new(problem, rows, workers)?),
            false => None,
        };
        Ok(Self { problem, rows, rounded })
    }

    /// Returns, for each candidate, one value per row: the smaller of its squared distance from the candidate and its entry
    /// in `nearest`. For unit vectors the squared distance is 2 - 2 cos.
    pub(super) fn after(&self, candidates: &[usize], nearest: &[f64], workers: &Workers) -> Result<Vec<Vec<f64>>> {
        let alone = workers.alone();
        let work = self.rows * candidates.len() * self.problem.vectors.dimensions();
        let workers = if work < SHARED { &alone } else { workers };
        let parts = match &self.rounded {
            Some(rounded) => rounded.after(self.problem, candidates, nearest, workers)?,
            None => self.exact(candidates, nearest, workers)?,
        };
        let of = |c: usize| parts.iter().map(|part| part[c].as_slice()).collect::<Vec<_>>().concat();
        Ok((0..candidates.len()).map(of).collect())
    }

    fn exact(&self, candidates: &[usize], nearest: &[f64], workers: &Workers) -> Result<Vec<Vec<Vec<f64>>>> {
        let Problem { vectors, squared, metric, .. } = self.problem;
        let mut values = vec![];
        vectors.gather(&candidates.iter().map(|&at| at as u32).collect::<Vec<_>>(), &mut values)?;
        workers.map(self.rows.div_ceil(BLOCK), |block, buffer: &mut Vec<f32>| {
            let span = block * BLOCK..((block + 1) * BLOCK).min(self.rows);
            let here = vectors.block(span.start, span.end, buffer)?;
            let mut parts = vec![Vec::with_capacity(span.len()); candidates.len()];
            for (at, vector) in span.zip(here.chunks_exact(vectors.dimensions())) {
                let others = values.chunks_exact(vectors.dimensions());
                for ((part, other), &candidate) in parts.iter_mut().zip(others).zip(candidates) {
                    let score = metric.score(vector, other, squared[at], squared[candidate]);
                    let distance = match metric {
                        Metric::Cosine => 2.0 - 2.0 * score,
                        Metric::L2 => -score,
                    };
                    part.push(distance.max(0.0).min(nearest[at]));
                }
            }
            Ok(parts)
        })
    }
}

/// The factor by which a row is scaled: 1 / length under the cosine metric, where only direction counts, and 1 under L2.
fn scale(problem: &Problem<'_>, row: usize) -> f64 {
    match problem.metric {
        Metric::Cosine => 1.0 / problem.squared[row].sqrt(),
        Metric::L2 => 1.0,
    }
}

impl Rounded {
    fn new(problem: &Problem<'_>, rows: usize, workers: &Workers) -> Result<Self> {
        let (vectors, blocks) = (problem.vectors, rows.div_ceil(BLOCK));
        let span = |block: usize| block * BLOCK..((block + 1) * BLOCK).min(rows);
        let sums = workers.map(blocks, |block, buffer: &mut Vec<f32>| {
            let mut sums = vec![0.0; vectors.dimensions()];
            let values = vectors.block(span(block).start, span(block).end, buffer)?;
            for (row, vector) in span(block).zip(values.chunks_exact(vectors.dimensions())) {
                add_scaled(&mut sums, vector, scale(problem, row));
            }
            Ok(sums)
        })?;
        let mut mean = vec![0.0; vectors.dimensions()];
        for sums in sums {
            mean.iter_mut().zip(sums).for_each(|(mean, sum)| *mean += sum / rows as f64);
        }
        let reservation = MemoryConsumer::new("first centroids").register(&problem.env.memory_pool);
        let kept = reservation.try_grow(rows * Codes::size(vectors.dimensions())).is_ok();
        let parts = workers.map(blocks, |block, scratch: &mut Scratch| {
            let lengths = code(problem, span(block), &mean, scratch)?;
            Ok((kept.then(|| Panels::of(&scratch.codes)), lengths))
        })?;
        let (panels, lengths): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let panels = panels.into_iter().flatten().collect();
        Ok(Self { mean, lengths: lengths.concat(), panels, _reservation: reservation })
    }

    fn after(
        &self,
        problem: &Problem<'_>,
        candidates: &[usize],
        nearest: &[f64],
        workers: &Workers,
    ) -> Result<Vec<Vec<Vec<f64>>>> {
        let mut of_candidates = Codes::new(problem.vectors.dimensions());
        let mut scratch = Scratch::default();
        for &candidate in candidates {
            code(problem, candidate..candidate + 1, &self.mean, &mut scratch)?;
            of_candidates.extend(&scratch.codes, 0..1);
        }
        workers.map(nearest.len().div_ceil(BLOCK), |block, (scratch, scores): &mut (Scratch, CodeScores)| {
            let span = block * BLOCK..((block + 1) * BLOCK).min(nearest.len());
            match self.panels.get(block) {
                Some(panels) => scores.fill_panels(&of_candidates, panels),
                None => {
                    code(problem, span.clone(), &self.mean, scratch)?;
                    scores.fill(&of_candidates, &scratch.codes);
                }
            }
            let (lengths, nearest) = (&self.lengths[span.clone()], &nearest[span]);
            let of = |at: usize| {
                let own = self.lengths[candidates[at]];
                let rows = scores.row(at).iter().zip(lengths).zip(nearest);
                let distance = |((cosine, length), nearest): ((&f32, &f64), &f64)| {
                    let squares = own * own + length * length;
                    let distance = squares - 2.0 * own * length * f64::from(*cosine);
                    let distance = if distance < EQUAL * squares { 0.0 } else { distance };
                    if distance < *nearest { distance } else { *nearest }
                };
                rows.map(distance).collect()
            };
            Ok((0..candidates.len()).map(of).collect())
        })
    }
}

/// Buffers that one thread reuses.
#[derive(Default)]
struct Scratch {
    buffer: Vec<f32>,
    centred: Vec<f32>,
    codes: Codes,
}

/// Subtracts the mean from the rows in `span` and writes their int8 codes to `scratch`. Returns the lengths of the centred
/// rows.
fn code(problem: &Problem<'_>, span: Range<usize>, mean: &[f64], scratch: &mut Scratch) -> Result<Vec<f64>> {
    let Scratch { buffer, centred, codes } = scratch;
    codes.clear(mean.len());
    let values = problem.vectors.block(span.start, span.end, buffer)?;
    let mut lengths = Vec::with_capacity(span.len());
    for (row, vector) in span.zip(values.chunks_exact(mean.len())) {
        let scale = scale(problem, row);
        centred.clear();
        centred.extend(vector.iter().zip(mean).map(|(value, mean)| (f64::from(*value) * scale - mean) as f32));
        lengths.push(squared_norm(centred).sqrt());
        codes.push(centred);
    }
    Ok(lengths)
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
    use crate::storage::vectors::VectorStore;

    /// The test also covers rows whose common part is a hundred times larger than their differences, with and without stored
    /// panels.
    #[test]
    fn rounded_distances_are_near_the_exact_ones() {
        for metric in [Metric::L2, Metric::Cosine] {
            let mut all = vec![];
            for memory in [1 << 30, 150_000] {
                let env = RuntimeEnvBuilder::new()
                    .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory)))
                    .build_arc()
                    .unwrap();
                let mut store = VectorStore::new("test", &env, SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0));
                let (mut random, mut squared) = (SplitMix64::new(7), vec![]);
                for row in 0..2500 {
                    let mut values: Vec<f32> = (0..80)
                        .map(|at| (at % 7 * 100) as f32 + unit_interval(random.next_u64()) as f32 * 4.0)
                        .collect();
                    if row % 100 == 50 {
                        let mut buffer = vec![];
                        values.copy_from_slice(store.get(row - 1, &mut buffer).unwrap());
                    }
                    squared.push(squared_norm(&values));
                    store.push(&values).unwrap();
                }
                let vectors = store.finish().unwrap();
                let problem = Problem::of(&vectors, &squared, &env, metric, 1);
                let workers = Workers::new(&TaskContext::default());
                let distances = Distances::new(&problem, 2500, &workers).unwrap();
                let kept = distances.rounded.as_ref().unwrap().panels.len();
                assert_eq!(kept, if memory > 150_000 { 3 } else { 0 });
                let nearest = vec![f64::INFINITY; 2500];
                let found = distances.after(&[50, 2120], &nearest, &workers).unwrap();
                let exact = distances.exact(&[50, 2120], &nearest, &workers).unwrap();
                for (candidate, found) in found.iter().enumerate() {
                    let exact: Vec<f64> = exact.iter().flat_map(|part| part[candidate].clone()).collect();
                    let scale = found.iter().sum::<f64>() / exact.iter().sum::<f64>();
                    let off = |(found, exact): (&f64, &f64)| (found / scale - exact).abs() / exact.max(1e-300);
                    let worst =
                        found.iter().zip(&exact).filter(|(found, _)| **found > 0.0).map(off).fold(0.0, f64::max);
                    assert!(worst < 0.05, "{metric:?} {worst}");
                }
                // The distance of a row from itself or from an identical row is zero.
                assert_eq!([found[0][50], found[0][49], found[1][2120]], [0.0; 3]);
                assert_eq!(found[0].iter().filter(|distance| **distance == 0.0).count(), 2);
                all.push(found);
            }
            assert_eq!(all[0], all[1]);
        }
    }
}
