//! Lloyd's rounds: assign every row to its nearest centroid, move every centroid to the mean of its rows.

use datafusion::common::{Result, exec_err};

use super::{balanced, seeding};
use crate::kernels::vector::arithmetic::{add_scaled, squared_norm};
use crate::kernels::vector::codes::{CodeScores, Codes, MOST_DIMENSIONS};
use crate::kernels::vector::search::{Best, Metric, Rows, Scores, at_least, improve, largest};
use crate::operators::call::codes::CodeStore;
use crate::operators::call::workers::Workers;
use crate::operators::dedup::matcher::Surroundings;
use crate::storage::vectors::Vectors;

/// Rows of a task.
pub(super) const BLOCK: usize = 1024;
/// Products held at once by a thread, about.
const PRODUCTS: usize = 1 << 19;
/// Centroids from which on codes find the nearest one sooner, with all that it takes to make them.
const CODED: usize = 128;
/// Values of all centroids up to which their sums are kept in memory together.
const SUMS: usize = 1 << 22;

/// What is fitted.
pub struct Problem<'a> {
    /// The operator, for errors.
    pub op: &'static str,
    /// The rows. Means add them up in this order, whatever the number of threads.
    pub vectors: &'a Vectors,
    /// The squares of their lengths; none is 0 under [`Metric::Cosine`].
    pub squared: &'a [f64],
    /// The codes of the rows, where they are at hand.
    pub codes: Option<&'a CodeStore>,
    /// Spherical or Euclidean.
    pub metric: Metric,
    /// Number of centroids.
    pub k: usize,
    /// Rounds at most.
    pub iterations: usize,
    /// Seed of the first centroids.
    pub seed: u64,
    /// Whether centroids share the rows evenly.
    pub balanced: bool,
    /// Whether the first centroids may be drawn from few rows: for cells, which need not be good clusters.
    pub rough: bool,
}

/// Centroids.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Model {
    /// Values in a centroid.
    pub dimensions: usize,
    /// The centroids one after the other; of length 1 under [`Metric::Cosine`].
    pub centroids: Vec<f32>,
    /// The squares of their lengths.
    pub squared: Vec<f64>,
    /// Rows nearest to each.
    pub counts: Vec<u64>,
    /// Sum over the rows of each of the squared distance (l2) or of 1 - cosine.
    pub inertia: Vec<f64>,
    /// Rounds done.
    pub iterations: usize,
}

impl Model {
    /// The centroids as rows.
    pub fn rows(&self) -> Rows<'_> {
        Rows { values: &self.centroids, squared: &self.squared, dimensions: self.dimensions }
    }

    /// Adds rows to the counts and to the inertia.
    pub(super) fn count(&mut self, metric: Metric, rows: &[Best]) {
        for best in rows {
            self.counts[best.number as usize] += 1;
            self.inertia[best.number as usize] += match metric {
                Metric::Cosine => 1.0 - best.score,
                Metric::L2 => -best.score,
            };
        }
    }

    /// The nearest centroid of each of `rows`.
    pub fn nearest(&self, metric: Metric, rows: Rows<'_>, scores: &mut Scores) -> Vec<Best> {
        let centroids = self.rows();
        let step = (PRODUCTS / centroids.len().max(1)).clamp(16, BLOCK);
        let mut found = Vec::with_capacity(rows.len());
        for first in (0..rows.len()).step_by(step) {
            let end = (first + step).min(rows.len());
            let values = &rows.values[first * rows.dimensions..end * rows.dimensions];
            let here = Rows { values, squared: &rows.squared[first..end], dimensions: rows.dimensions };
            scores.fill(metric, here, centroids);
            for at in 0..here.len() {
                let mut best = Best::NONE;
                let limit = (at, centroids.len());
                improve(metric, (here, centroids), scores, limit, |there| there as u32, &mut best);
                found.push(best);
            }
        }
        found
    }
}

/// Memory of a thread that finds the nearest centroids.
#[derive(Default)]
struct Scratch {
    values: Vec<f32>,
    scores: Scores,
    codes: Codes,
    part: Codes,
    code_scores: CodeScores,
    margins: Vec<f64>,
}

/// The exact nearest centroid of each of `rows`, whose codes are in `scratch`: codes propose.
fn nearest_by_codes(
    (model, centroids): (&Model, &Codes),
    metric: Metric,
    rows: Rows<'_>,
    scratch: (&Codes, &mut Codes, &mut CodeScores, &mut Vec<f64>),
) -> Vec<Best> {
    let (codes, part, scores, margins) = scratch;
    let step = (PRODUCTS / 2 / centroids.len().max(1)).clamp(24, BLOCK);
    let mut found = Vec::with_capacity(rows.len());
    for first in (0..rows.len()).step_by(step) {
        let end = (first + step).min(rows.len());
        part.clear(rows.dimensions);
        part.extend(codes, first..end);
        scores.fill(part, centroids);
        scores.score(metric, &rows.squared[first..end], &model.squared, margins);
        for (at, &margin) in margins.iter().enumerate() {
            let row = scores.row(at);
            let floor = scores.floor_of_nearest(metric, at, largest(row), margin);
            let mut best = Best::NONE;
            at_least(row, floor, |there| {
                best.offer(rows.score(metric, first + at, &model.rows(), there), there as u32)
            });
            found.push(best);
        }
    }
    found
}

/// The first centroids.
pub(super) fn first(problem: &Problem<'_>, workers: &Workers) -> Result<Model> {
    let rows = problem.vectors.len();
    if rows < problem.k {
        return exec_err!(
            "{}: {} centroids are more than the {rows} rows that have a vector; lower `k`",
            problem.op,
            problem.k
        );
    }
    let chosen: Vec<u32> = seeding::choose(problem, workers)?.into_iter().map(|at| at as u32).collect();
    let mut model = Model { dimensions: problem.vectors.dimensions(), ..Model::default() };
    problem.vectors.gather(&chosen, &mut model.centroids)?;
    finish_centroids(&mut model, problem.metric);
    Ok(model)
}

/// Fits centroids. O(n k d) a round; memory O(n) for a few numbers a row.
pub fn fit(problem: &Problem<'_>, workers: &Workers) -> Result<Model> {
    let mut model = first(problem, workers)?;
    let mut assigned: Vec<u32> = vec![];
    loop {
        let best = match problem.balanced {
            true => balanced::assign(problem, &model, workers)?,
            false => assign(problem, &model, workers)?,
        };
        let mut next: Vec<u32> = best.iter().map(|best| best.number).collect();
        let moved = fill_empty(problem.k, &best, &mut next);
        let settled = next == assigned && !moved;
        assigned = next;
        if settled || model.iterations == problem.iterations {
            (model.counts, model.inertia) = (vec![0; problem.k], vec![0.0; problem.k]);
            model.count(problem.metric, &best);
            return Ok(model);
        }
        update(problem, &assigned, &mut model, workers)?;
        model.iterations += 1;
    }
}

/// The codes of the rows of a fit to `k` centroids, where they are of use to it.
pub fn codes(k: usize, vectors: &Vectors, around: &Surroundings, workers: &Workers) -> Result<Option<CodeStore>> {
    if k < CODED || vectors.dimensions() > MOST_DIMENSIONS {
        return Ok(None);
    }
    CodeStore::new("codes of a fit", vectors, &around.context.runtime_env(), workers).map(Some)
}

/// Scales centroids to length 1 where only their direction counts, and measures them.
pub(super) fn finish_centroids(model: &mut Model, metric: Metric) {
    for centroid in model.centroids.chunks_exact_mut(model.dimensions.max(1)) {
        let norm = squared_norm(centroid).sqrt();
        if metric == Metric::Cosine && norm > 0.0 {
            centroid.iter_mut().for_each(|value| *value = (f64::from(*value) / norm) as f32);
        }
    }
    model.squared = model.centroids.chunks_exact(model.dimensions.max(1)).map(squared_norm).collect();
}

/// The nearest centroid of every row.
pub fn assign(problem: &Problem<'_>, model: &Model, workers: &Workers) -> Result<Vec<Best>> {
    let rows = problem.vectors.len();
    let coded = problem.k >= CODED && model.dimensions <= MOST_DIMENSIONS;
    let mut centroids = Codes::new(model.dimensions);
    if coded {
        model.centroids.chunks_exact(model.dimensions.max(1)).for_each(|centroid| centroids.push(centroid));
    }
    let found = workers.map(rows.div_ceil(BLOCK), |block, scratch: &mut Scratch| {
        let Scratch { values, scores, codes, part, code_scores, margins } = scratch;
        let (first, end) = (block * BLOCK, ((block + 1) * BLOCK).min(rows));
        let values = problem.vectors.block(first, end, values)?;
        let here = Rows { values, squared: &problem.squared[first..end], dimensions: model.dimensions };
        if !coded {
            return Ok(model.nearest(problem.metric, here, scores));
        }
        match problem.codes {
            Some(store) if store.are_in_memory() => store.range(problem.vectors, first..end, codes, &mut vec![])?,
            _ => {
                codes.clear(model.dimensions);
                values.chunks_exact(model.dimensions).for_each(|vector| codes.push(vector));
            }
        }
        let scratch = (&*codes, part, code_scores, margins);
        Ok(nearest_by_codes((model, &centroids), problem.metric, here, scratch))
    })?;
    Ok(found.concat())
}

/// Gives each centroid without rows the row that is farthest from its own; true where that happened.
fn fill_empty(k: usize, best: &[Best], assigned: &mut [u32]) -> bool {
    let mut counts = vec![0_usize; k];
    assigned.iter().for_each(|&centroid| counts[centroid as usize] += 1);
    let mut empty: Vec<u32> = (0..k as u32).filter(|&c| counts[c as usize] == 0).collect();
    if empty.is_empty() {
        return false;
    }
    empty.reverse();
    let mut order: Vec<usize> = (0..best.len()).collect();
    order.sort_unstable_by(|&a, &b| best[a].score.total_cmp(&best[b].score).then(a.cmp(&b)));
    for row in order {
        if counts[assigned[row] as usize] > 1 {
            let Some(centroid) = empty.pop() else { break };
            counts[assigned[row] as usize] -= 1;
            counts[centroid as usize] += 1;
            assigned[row] = centroid;
        }
    }
    true
}

/// The rows of each centroid, ascending: those of centroid `c` are `members[starts[c]..starts[c + 1]]`.
pub fn members(assigned: impl Iterator<Item = u32> + Clone, k: usize) -> (Vec<u32>, Vec<usize>) {
    let mut starts = vec![0_usize; k + 1];
    assigned.clone().for_each(|centroid| starts[centroid as usize + 1] += 1);
    for centroid in 0..k {
        starts[centroid + 1] += starts[centroid];
    }
    let (mut members, mut next) = (vec![0_u32; starts[k]], starts.clone());
    for (row, centroid) in assigned.enumerate() {
        members[next[centroid as usize]] = row as u32;
        next[centroid as usize] += 1;
    }
    (members, starts)
}

/// What a row counts: its direction alone under the cosine.
fn weight(problem: &Problem<'_>, row: usize) -> f64 {
    match problem.metric {
        Metric::Cosine => 1.0 / problem.squared[row].sqrt(),
        Metric::L2 => 1.0,
    }
}

/// Sums over the rows of each centroid in the order of the rows, read block by block: every thread reads all rows and adds up
/// those of its own centroids.
fn sums_of_blocks(problem: &Problem<'_>, assigned: &[u32], dimensions: usize, workers: &Workers) -> Result<Vec<f64>> {
    let (threads, rows) = (workers.threads().min(problem.k), problem.vectors.len());
    let parts = workers.map(threads, |thread, buffer: &mut Vec<f32>| {
        let mut sums = vec![0.0; problem.k.div_ceil(threads) * dimensions];
        for first in (0..rows).step_by(BLOCK) {
            workers.check()?;
            let end = (first + BLOCK).min(rows);
            let values = problem.vectors.block(first, end, buffer)?;
            for (row, vector) in (first..end).zip(values.chunks_exact(dimensions)) {
                let centroid = assigned[row] as usize;
                if centroid % threads == thread {
                    let place = centroid / threads * dimensions;
                    add_scaled(&mut sums[place..place + dimensions], vector, weight(problem, row));
                }
            }
        }
        Ok(sums)
    })?;
    let of = |centroid: usize| &parts[centroid % threads][centroid / threads * dimensions..][..dimensions];
    Ok((0..problem.k).flat_map(|centroid| of(centroid).iter().copied()).collect())
}

/// Means. Each centroid takes its rows in their order.
fn update(problem: &Problem<'_>, assigned: &[u32], model: &mut Model, workers: &Workers) -> Result<()> {
    let (members, starts) = members(assigned.iter().copied(), problem.k);
    let dimensions = model.dimensions;
    let by_blocks = !problem.vectors.are_in_memory() && problem.k * dimensions <= SUMS;
    let all = if by_blocks { sums_of_blocks(problem, assigned, dimensions, workers)? } else { vec![] };
    let means = workers.map(problem.k, |centroid, (buffer, sums): &mut (Vec<f32>, Vec<f64>)| {
        let members = &members[starts[centroid]..starts[centroid + 1]];
        sums.clear();
        if by_blocks {
            sums.extend_from_slice(&all[centroid * dimensions..(centroid + 1) * dimensions]);
        } else {
            sums.resize(dimensions, 0.0);
            for &row in members {
                let row = row as usize;
                let vector = problem.vectors.block(row, row + 1, buffer)?;
                add_scaled(sums, vector, weight(problem, row));
            }
        }
        let count = members.len().max(1) as f64;
        let length = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt();
        // Rows that cancel out have no mean direction: the centroid stays.
        let keeps = members.is_empty() || (problem.metric == Metric::Cosine && length < 1e-9 * count);
        Ok((!keeps).then(|| sums.iter().map(|sum| (sum / count) as f32).collect::<Vec<f32>>()))
    })?;
    for (centroid, mean) in model.centroids.chunks_exact_mut(dimensions).zip(means) {
        if let Some(mean) = mean {
            centroid.copy_from_slice(&mean);
        }
    }
    finish_centroids(model, problem.metric);
    Ok(())
}
