//! The first centroids.

use datafusion::common::Result;

use super::fit::Problem;
use crate::kernels::random::{SplitMix64, unit_interval};
use crate::kernels::vector::arithmetic::squared_norm;
use crate::kernels::vector::search::Metric;
use crate::operators::call::workers::Workers;
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
    let (vectors, squared) = (problem.vectors, problem.squared);
    let rows = rows(vectors, problem.k, problem.rough);
    let mut random = SplitMix64::new(problem.seed);
    let draws = if problem.k <= GREEDY { 2 + (problem.k as f64).ln() as usize } else { 1 };
    let mut chosen = vec![(unit_interval(random.next_u64()) * rows as f64) as usize];
    let mut nearest = vec![f64::INFINITY; rows];
    let blocks = rows.div_ceil(super::fit::BLOCK);
    // The squared distances after a candidate: 2 - 2 cos is that of unit vectors.
    let after = |candidates: &[usize], nearest: &[f64]| -> Result<Vec<Vec<f64>>> {
        let mut values = vec![];
        vectors.gather(&candidates.iter().map(|&at| at as u32).collect::<Vec<_>>(), &mut values)?;
        let parts = workers.map(blocks, |block, buffer: &mut Vec<f32>| {
            let span = block * super::fit::BLOCK..((block + 1) * super::fit::BLOCK).min(rows);
            let here = vectors.block(span.start, span.end, buffer)?;
            let mut parts = vec![Vec::with_capacity(span.len()); candidates.len()];
            for (at, vector) in span.zip(here.chunks_exact(vectors.dimensions())) {
                let others = values.chunks_exact(vectors.dimensions());
                for ((part, other), &candidate) in parts.iter_mut().zip(others).zip(candidates) {
                    let score = problem.metric.score(vector, other, squared[at], squared[candidate]);
                    let distance = match problem.metric {
                        Metric::Cosine => 2.0 - 2.0 * score,
                        Metric::L2 => -score,
                    };
                    part.push(distance.max(0.0).min(nearest[at]));
                }
            }
            Ok(parts)
        })?;
        Ok((0..candidates.len()).map(|c| parts.iter().flat_map(|part| part[c].iter().copied()).collect()).collect())
    };
    nearest = after(&chosen, &nearest)?.pop().unwrap_or_default();
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
        let found = after(&candidates, &nearest)?;
        let sum = |distances: &[f64]| distances.iter().sum::<f64>();
        let best = found.iter().enumerate().min_by(|a, b| sum(a.1).total_cmp(&sum(b.1)).then(a.0.cmp(&b.0)));
        let Some((best, _)) = best else { break };
        chosen.push(candidates[best]);
        taken[candidates[best]] = true;
        nearest = found.into_iter().nth(best).unwrap_or_default();
    }
    Ok(chosen)
}
