//! Balanced assignment: each of k centroids receives n / k of the n rows, rounded down or up.

use datafusion::common::Result;

use super::problem::{BLOCK, Model, Problem};
use crate::kernels::vector::nearest::{Candidates, Nearest, improve_nearest};
use crate::kernels::vector::search::{Best, Rows, Scores};
use crate::operators::workers::Workers;

/// For one row: the nearest and the second nearest centroid that still have room.
type Wish = (Best, Best);

/// Assigns rows to centroids in waves and returns the centroid of every row.
///
/// In each wave, every unassigned row finds the nearest and the second nearest centroid with room. Rows are then served in
/// descending order of their loss, the score they would lose by taking the second centroid (ties: the earlier row first).
/// Each takes its nearest centroid if that still has room, and waits for the next wave otherwise. The n mod k centroids that
/// fill up first receive one extra row.
///
/// Every wave assigns at least one row and usually fills a centroid. The first wave costs O(n k d); later ones cost less and
/// less. The result is not the cheapest balanced assignment, which takes O(n^3) (Malinen and Franti, Balanced k-means for
/// clustering, 2014).
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

/// Finds the two nearest of the `open` centroids for each waiting row.
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
                    // Only one centroid has room, so it must be taken whatever the loss.
                    [best] => (*best, Best::NONE),
                    [] => (Best::NONE, Best::NONE),
                }
            };
            Ok((0..here.len()).map(wish).collect::<Vec<Wish>>())
        })?;
    Ok(found.concat())
}
