//! The first centroids.

use datafusion::common::Result;

use super::distances::Distances;
use super::problem::Problem;
use crate::kernels::random::{SplitMix64, unit_interval};
use crate::kernels::vector::arithmetic::squared_norm;
use crate::operators::workers::Workers;
use crate::storage::vectors::Vectors;

/// Rows for each centroid from which the first ones are drawn. They are the first of the sample, which is in random order.
const ROWS: usize = 16;
/// The same where rough ones do.
const FEW_ROWS: usize = 4;
/// Rows from which they are drawn at least.
const LEAST_ROWS: usize = 12_288;
/// Centroids up to which several candidates are drawn for each and the best is taken.
const GREEDY: usize = 256;

fn rows(vectors: &Vectors, k: usize, rough: bool) -> usize {
    let (each, least) = if rough { (FEW_ROWS, LEAST_ROWS / 4) } else { (ROWS, LEAST_ROWS) };
    vectors.len().min((k * each).max(least))
}

/// The squares of the lengths of the rows that [`choose`] looks at.
pub fn squared(vectors: &Vectors, k: usize) -> Result<Vec<f64>> {
    let mut buffer = vec![];
    (0..rows(vectors, k, false)).map(|row| Ok(squared_norm(vectors.block(row, row + 1, &mut buffer)?))).collect()
}

/// Rows of the sample chosen by k-means++ (Arthur and Vassilvitskii 2007): each with a probability proportional to the
/// squared distance from those before; for few centroids the best of several draws, as their paper suggests.
pub fn choose(problem: &Problem<'_>, workers: &Workers) -> Result<Vec<usize>> {
    let vectors = problem.vectors;
    let rows = rows(vectors, problem.k, problem.rough);
    let mut random = SplitMix64::new(problem.seed);
    let draws = if problem.k <= GREEDY { 2 + (problem.k as f64).ln() as usize } else { 1 };
    let mut chosen = vec![(unit_interval(random.next_u64()) * rows as f64) as usize];
    let mut nearest = vec![f64::INFINITY; rows];
    let distances = Distances::new(problem, rows, workers)?;
    nearest = distances.after(&chosen, &nearest, workers)?.pop().unwrap_or_default();
    let mut taken = vec![false; vectors.len()];
    taken[chosen[0]] = true;
    while chosen.len() < problem.k {
        let mut sums = Vec::with_capacity(rows);
        let mut total = 0.0;
        for &distance in &nearest {
            total += distance;
            sums.push(total);
        }
        if total <= 0.0 {
            // Fewer distinct vectors than centroids: any rows not yet taken.
            let next = taken.iter().position(|taken| !taken);
            let Some(next) = next else { break };
            taken[next] = true;
            chosen.push(next);
            continue;
        }
        let candidates: Vec<usize> = (0..draws)
            .map(|_| {
                let aim = unit_interval(random.next_u64()) * total;
                sums.partition_point(|&sum| sum <= aim).min(rows - 1)
            })
            .collect();
        let found = distances.after(&candidates, &nearest, workers)?;
        let totals: Vec<f64> = found.iter().map(|distances| sum(distances)).collect();
        let best = (0..draws).min_by(|&a, &b| totals[a].total_cmp(&totals[b]).then(a.cmp(&b)));
        let Some(best) = best else { break };
        chosen.push(candidates[best]);
        taken[candidates[best]] = true;
        nearest = found.into_iter().nth(best).unwrap_or_default();
    }
    Ok(chosen)
}

/// The sum, in eight parts that do not wait for each other.
fn sum(distances: &[f64]) -> f64 {
    let (chunks, rest) = distances.as_chunks::<8>();
    let mut sums = [0.0; 8];
    chunks.iter().for_each(|chunk| sums.iter_mut().zip(chunk).for_each(|(sum, distance)| *sum += distance));
    sums.iter().chain(rest).sum()
}
