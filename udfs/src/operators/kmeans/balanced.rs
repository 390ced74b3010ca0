//! Assignment in even shares: of n rows every one of k centroids gets n / k, rounded down or up.

use datafusion::common::Result;

use super::problem::{BLOCK, Model, Problem};
use crate::kernels::vector::nearest::{Candidates, Nearest, improve_nearest};
use crate::kernels::vector::search::{Best, Rows, Scores};
use crate::operators::workers::Workers;

/// The two nearest centroids with room of a row.
type Wish = (Best, Best);

/// The centroid of every row, in waves. In each wave all rows that wait find the nearest and the second nearest centroid
/// that has room; the row that would lose most by the second comes first (of equal ones the earlier row) and takes its
/// nearest centroid while that has room. n mod k centroids, those that fill up first, take one row more than the others.
///
/// Every wave assigns a row and mostly fills a centroid: O(n k d) for the first, then less and less. The result is not the
/// cheapest assignment of even shares, which takes O(n^3) (Malinen and Franti, Balanced k-means for clustering, 2014).
pub fn assign(problem: &Problem<'_>, model: &Model, workers: &Workers) -> Result<Vec<Best>> {
    let (rows, k) = (problem.vectors.len(), problem.k);
    let (share, mut larger) = (rows / k, rows % k);
    let mut counts = vec![0_usize; k];
    let mut found = vec![Best::NONE; rows];
    let mut waiting: Vec<u32> = (0..rows as u32).collect();
    while !waiting.is_empty() {
        let room = |count: usize| count < share || (count == share && larger > 0);
        let open: Vec<u32> = (0..k as u32).filter(|&centroid| room(counts[centroid as usize])).collect();
        let wishes = wishes(problem, model, &open, &waiting, workers)?;
        let loss = |at: usize| wishes[at].0.score - wishes[at].1.score;
        let mut order: Vec<usize> = (0..waiting.len()).collect();
        order.sort_unstable_by(|&a, &b| loss(b).total_cmp(&loss(a)).then(a.cmp(&b)));
        let mut left = vec![];
        for at in order {
            let (best, _) = wishes[at];
            let count = &mut counts[best.number as usize];
            if *count < share {
                *count += 1;
            } else if *count == share && larger > 0 {
                *count += 1;
                larger -= 1;
            } else {
                left.push(waiting[at]);
                continue;
            }
            found[waiting[at] as usize] = best;
        }
        left.sort_unstable();
        waiting = left;
    }
    Ok(found)
}

/// The two nearest of the `open` centroids for each of the rows that wait.
fn wishes(problem: &Problem<'_>, model: &Model, open: &[u32], waiting: &[u32], workers: &Workers) -> Result<Vec<Wish>> {
    let dimensions = model.dimensions;
    let (mut centroids, mut squared) = (Vec::with_capacity(open.len() * dimensions), Vec::with_capacity(open.len()));
    for &centroid in open {
        centroids.extend_from_slice(model.rows().row(centroid as usize));
        squared.push(model.squared[centroid as usize]);
    }
    let centroids = Rows { values: &centroids, squared: &squared, dimensions };
    let blocks: Vec<&[u32]> = waiting.chunks(BLOCK / 4).collect();
    let found =
        workers.map(blocks.len(), |block, (values, scores, candidates): &mut (Vec<f32>, Scores, Candidates)| {
            problem.vectors.gather(blocks[block], values)?;
            let squared: Vec<f64> = blocks[block].iter().map(|&row| problem.squared[row as usize]).collect();
            let here = Rows { values, squared: &squared, dimensions };
            scores.fill(problem.metric, here, centroids);
            let wish = |at: usize| {
                let mut nearest = Nearest::new(2, f64::NEG_INFINITY);
                let number = |there: usize| Some(open[there]);
                improve_nearest(problem.metric, (here, centroids), scores, at, number, candidates, &mut nearest);
                match nearest.found() {
                    [best, second, ..] => (*best, *second),
                    // The only centroid with room is worth everything.
                    [best] => (*best, Best::NONE),
                    [] => (Best::NONE, Best::NONE),
                }
            };
            Ok((0..here.len()).map(wish).collect::<Vec<Wish>>())
        })?;
    Ok(found.concat())
}
