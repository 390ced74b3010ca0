//! Lloyd's rounds: assign every row to its nearest centroid, move every centroid to the mean of its rows.

use datafusion::common::{Result, exec_err};

use super::{balanced, seeding};
use crate::kernels::vector::arithmetic::{add_scaled, squared_norm};
use crate::kernels::vector::search::{Best, Metric, Rows, Scores, improve};
use crate::operators::call::workers::Workers;
use crate::storage::vectors::Vectors;

/// Rows of a task.
pub(super) const BLOCK: usize = 1024;
/// Products held at once by a thread, about.
const PRODUCTS: usize = 1 << 19;

/// What is fitted.
pub struct Problem<'a> {
    /// The operator, for errors.
    pub op: &'static str,
    /// The rows. Means add them up in this order, whatever the number of threads.
    pub vectors: &'a Vectors,
    /// The squares of their lengths; none is 0 under [`Metric::Cosine`].
    pub squared: &'a [f64],
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
    let found = workers.map(rows.div_ceil(BLOCK), |block, (buffer, scores): &mut (Vec<f32>, Scores)| {
        let (first, end) = (block * BLOCK, ((block + 1) * BLOCK).min(rows));
        let values = problem.vectors.block(first, end, buffer)?;
        let here = Rows { values, squared: &problem.squared[first..end], dimensions: model.dimensions };
        Ok(model.nearest(problem.metric, here, scores))
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

/// Means. Each centroid is one task that takes its rows in their order.
fn update(problem: &Problem<'_>, assigned: &[u32], model: &mut Model, workers: &Workers) -> Result<()> {
    let (members, starts) = members(assigned.iter().copied(), problem.k);
    let dimensions = model.dimensions;
    let means = workers.map(problem.k, |centroid, (buffer, sums): &mut (Vec<f32>, Vec<f64>)| {
        sums.clear();
        sums.resize(dimensions, 0.0);
        let members = &members[starts[centroid]..starts[centroid + 1]];
        for &row in members {
            let row = row as usize;
            let weight = match problem.metric {
                Metric::Cosine => 1.0 / problem.squared[row].sqrt(),
                Metric::L2 => 1.0,
            };
            let vector = problem.vectors.block(row, row + 1, buffer)?;
            add_scaled(sums, vector, weight);
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
