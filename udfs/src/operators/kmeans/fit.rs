//! Lloyd's algorithm: assign every row to its nearest centroid, then move every centroid to the mean of its rows.

use datafusion::common::{Result, exec_err};

use super::nearest::{Nearest, codes};
use super::problem::{BLOCK, Model, Problem};
use super::{balanced, seeding};
use crate::kernels::vector::arithmetic::{add_scaled, squared_norm};
use crate::kernels::vector::search::{Best, Metric};
use crate::operators::workers::Workers;

/// Rows are read in blocks, by every thread, if the affected rows times this exceed all rows times the number of threads;
/// otherwise one by one.
const FEW: usize = 4;
/// Sums of all centroids are kept in memory together up to this many values.
const SUMS: usize = 1 << 22;

/// Chooses the initial centroids.
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

/// Fits the centroids. The first rounds cost O(n k d) each; later ones cost less as fewer centroids move. Memory: O(n), a few
/// numbers per row.
pub fn fit(problem: &Problem<'_>, workers: &Workers) -> Result<Model> {
    let mut model = first(problem, workers)?;
    let store = if problem.balanced { None } else { codes(problem, workers)? };
    let mut nearest = Nearest::new(problem.vectors.len());
    let mut moved = vec![true; problem.k];
    let mut assigned: Vec<u32> = vec![];
    loop {
        match problem.balanced {
            true => nearest.best = balanced::assign(problem, &model, workers)?,
            false => nearest.update(problem, &model, store.as_ref(), &moved, workers)?,
        }
        let mut next: Vec<u32> = nearest.best.iter().map(|best| best.number).collect();
        let filled = fill_empty(problem.k, &nearest.best, &mut next);
        let changed = changed(problem.k, &assigned, &next);
        assigned = next;
        if !(filled || changed.contains(&true)) || model.iterations == problem.iterations {
            (model.counts, model.inertia) = (vec![0; problem.k], vec![0.0; problem.k]);
            model.count(problem.metric, &nearest.best);
            return Ok(model);
        }
        moved = update(problem, &assigned, &changed, &mut model, workers)?;
        model.iterations += 1;
    }
}

/// Marks the centroids whose set of rows changed; all of them in the first round.
fn changed(k: usize, before: &[u32], after: &[u32]) -> Vec<bool> {
    let mut changed = vec![before.is_empty(); k];
    for (&before, &after) in before.iter().zip(after).filter(|(before, after)| before != after) {
        (changed[before as usize], changed[after as usize]) = (true, true);
    }
    changed
}

/// Returns the nearest centroid of every row.
pub fn assign(problem: &Problem<'_>, model: &Model, workers: &Workers) -> Result<Vec<Best>> {
    let mut nearest = Nearest::new(problem.vectors.len());
    nearest.update(problem, model, None, &vec![true; problem.k], workers)?;
    Ok(nearest.best)
}

/// Scales centroids to length 1 under the cosine metric and computes their squared lengths.
pub(super) fn finish_centroids(model: &mut Model, metric: Metric) {
    let centroids = model.centroids.chunks_exact_mut(model.dimensions.max(1));
    model.squared = centroids.map(|centroid| finish_centroid(centroid, metric)).collect();
}

/// Scales one centroid to length 1 under the cosine metric and returns its squared length.
fn finish_centroid(centroid: &mut [f32], metric: Metric) -> f64 {
    let norm = squared_norm(centroid).sqrt();
    if metric == Metric::Cosine && norm > 0.0 {
        centroid.iter_mut().for_each(|value| *value = (f64::from(*value) / norm) as f32);
    }
    squared_norm(centroid)
}

/// Gives each empty centroid the row that is farthest from its own centroid. Returns whether any centroid was empty.
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

/// Groups rows by centroid, ascending within each: the rows of centroid `c` are `members[starts[c]..starts[c + 1]]`.
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

/// The weight of a row in a mean: 1 / length under the cosine metric, where only direction counts, and 1 under L2.
fn weight(problem: &Problem<'_>, row: usize) -> f64 {
    match problem.metric {
        Metric::Cosine => 1.0 / problem.squared[row].sqrt(),
        Metric::L2 => 1.0,
    }
}

/// Sums the rows of each centroid marked in `changed`, in row order, reading the vectors block by block. Every thread reads
/// all rows but adds up only those of its own centroids.
fn sums_of_blocks(
    problem: &Problem<'_>,
    assigned: &[u32],
    changed: &[bool],
    dimensions: usize,
    workers: &Workers,
) -> Result<Vec<f64>> {
    let (threads, rows) = (workers.threads().min(problem.k), problem.vectors.len());
    let parts = workers.map(threads, |thread, buffer: &mut Vec<f32>| {
        let mut sums = vec![0.0; problem.k.div_ceil(threads) * dimensions];
        for first in (0..rows).step_by(BLOCK) {
            workers.check()?;
            let end = (first + BLOCK).min(rows);
            let values = problem.vectors.block(first, end, buffer)?;
            for (row, vector) in (first..end).zip(values.chunks_exact(dimensions)) {
                let centroid = assigned[row] as usize;
                if centroid % threads == thread && changed[centroid] {
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

/// Recomputes the means of the centroids marked in `changed` and returns which centroids moved. Rows are added in their
/// order, so the result does not depend on threads.
fn update(
    problem: &Problem<'_>,
    assigned: &[u32],
    changed: &[bool],
    model: &mut Model,
    workers: &Workers,
) -> Result<Vec<bool>> {
    let (members, starts) = members(assigned.iter().copied(), problem.k);
    let dimensions = model.dimensions;
    let count = |centroid: usize| starts[centroid + 1] - starts[centroid];
    let affected: usize = (0..problem.k).filter(|&centroid| changed[centroid]).map(count).sum();
    let by_blocks = !problem.vectors.are_in_memory()
        && problem.k * dimensions <= SUMS
        && affected * FEW > problem.vectors.len() * workers.threads();
    let all = if by_blocks { sums_of_blocks(problem, assigned, changed, dimensions, workers)? } else { vec![] };
    let means = workers.map(problem.k, |centroid, (buffer, sums): &mut (Vec<f32>, Vec<f64>)| {
        if !changed[centroid] {
            return Ok(None);
        }
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
        // If the rows cancel out, their mean has no direction and the centroid stays in place.
        let keeps = members.is_empty() || (problem.metric == Metric::Cosine && length < 1e-9 * count);
        Ok((!keeps).then(|| {
            let mut mean: Vec<f32> = sums.iter().map(|sum| (sum / count) as f32).collect();
            let squared = finish_centroid(&mut mean, problem.metric);
            (mean, squared)
        }))
    })?;
    let mut moved = vec![false; problem.k];
    for (centroid, mean) in means.into_iter().enumerate() {
        let Some((mean, squared)) = mean else { continue };
        let place = &mut model.centroids[centroid * dimensions..(centroid + 1) * dimensions];
        moved[centroid] = place != mean;
        place.copy_from_slice(&mean);
        model.squared[centroid] = squared;
    }
    Ok(moved)
}
