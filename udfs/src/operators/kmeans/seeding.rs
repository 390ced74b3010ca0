//! Choice of the initial centroids.

use datafusion::common::Result;

use super::distances::Distances;
use super::problem::Problem;
use crate::kernels::random::{SplitMix64, unit_interval};
use crate::kernels::vector::arithmetic::squared_norm;
use crate::operators::workers::Workers;
use crate::storage::vectors::Vectors;

/// Number of rows per centroid from which initial centroids are drawn. These are the first rows of the sample, which is in
/// random order.
const ROWS: usize = 16;
/// The same, for a fit that need only be rough.
const FEW_ROWS: usize = 4;
/// Initial centroids are drawn from at least this many rows, if there are as many.
const LEAST_ROWS: usize = 12_288;
/// Up to this many centroids, several candidates are drawn for each and the best one is taken.
const GREEDY: usize = 256;

fn rows(vectors: &Vectors, k: usize, rough: bool) -> usize {
    let (each, least) = if rough { (FEW_ROWS, LEAST_ROWS / 4) } else { (ROWS, LEAST_ROWS) };
    vectors.len().min((k * each).max(least))
}

/// The squared lengths of the rows that [`choose`] reads.
pub fn squared(vectors: &Vectors, k: usize) -> Result<Vec<f64>> {
    let mut buffer = vec![];
    (0..rows(vectors, k, false)).map(|row| Ok(squared_norm(vectors.block(row, row + 1, &mut buffer)?))).collect()
}

/// Chooses rows of the sample as initial centroids by k-means++ (Arthur and Vassilvitskii 2007): each row is drawn with a
/// probability proportional to its squared distance from those chosen before. If k is small, several rows are drawn for each
/// centroid and the best one is kept, as the paper suggests.
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
            // There are fewer distinct vectors than centroids: take any row not yet taken.
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

/// Adds up the distances in eight independent partial sums, so that the processor can overlap them.
fn sum(distances: &[f64]) -> f64 {
    let (chunks, rest) = distances.as_chunks::<8>();
    let mut sums = [0.0; 8];
    chunks.iter().for_each(|chunk| sums.iter_mut().zip(chunk).for_each(|(sum, distance)| *sum += distance));
    sums.iter().chain(rest).sum()
}
