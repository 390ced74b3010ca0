//! Mini-batch k-means: passes over all rows in batches. Memory holds one batch and the centroids, however many rows there
//! are.

use std::ops::Range;

use datafusion::common::Result;

use super::fit::{finish_centroids, first, members};
use super::problem::{BLOCK, Model, Problem};
use crate::kernels::vector::arithmetic::{add_scaled, squared_norm};
use crate::kernels::vector::nearest::Nearest;
use crate::kernels::vector::search::{Best, Metric, Rows, Scores};
use crate::operators::workers::Workers;

/// A mean shorter than this has no usable direction.
const SHORTEST: f64 = 1e-9;

/// Weight that a row keeps in the following pass. It is below 1 because the row was assigned to centroids that have moved
/// since.
const FADE: f64 = 0.3;

/// Maximum number of centroids that are relocated after a pass.
const REFILLS: usize = 1024;

/// Fits centroids in batches of `batch` rows, in the order of the sample. O(n k d) per pass.
///
/// After each batch, every centroid is the mean of the rows it received in this pass and, with less weight, in the previous
/// pass. (Sculley, Web-scale k-means clustering, 2010, uses a rate of one over all rows of a centroid instead.) A centroid
/// that receives no row in a whole pass moves to one of the rows farthest from their own centroids.
///
/// Fitting stops after `problem.iterations` passes, or when a pass changes nothing; one more pass counts rows and inertia.
/// `problem.squared` need only cover the rows from which the initial centroids are drawn.
pub fn fit(problem: &Problem<'_>, batch: usize, workers: &Workers) -> Result<Model> {
    let mut model = first(problem, workers)?;
    let mut means: Vec<f64> = model.centroids.iter().map(|value| f64::from(*value)).collect();
    let mut taken = vec![0.0; problem.k];
    let rows = problem.vectors.len();
    while model.iterations < problem.iterations {
        let before = model.centroids.clone();
        let mut of_pass = vec![0_u64; problem.k];
        // Negating the scores turns the search for the nearest rows into one for the farthest.
        let mut farthest = Nearest::new(problem.k.min(REFILLS), f64::NEG_INFINITY);
        for start in (0..rows).step_by(batch) {
            let batch = start..(start + batch).min(rows);
            let best = assign(problem, &model, batch.clone(), workers)?;
            for (row, best) in batch.clone().zip(&best) {
                of_pass[best.number as usize] += 1;
                farthest.offer(-best.score, row as u32);
            }
            advance(problem, batch.start, &best, (&mut means, &mut taken), &mut model, workers)?;
        }
        let empty: Vec<usize> = (0..problem.k).filter(|&centroid| of_pass[centroid] == 0).collect();
        let (mut vector, mut refilled) = (vec![], false);
        let far = farthest.found().iter().filter(|far| problem.metric.distance(-far.score) > 0.0);
        for (centroid, row) in empty.into_iter().zip(far) {
            problem.vectors.gather(&[row.number], &mut vector)?;
            let weight = weight(problem.metric, &vector);
            let mean = &mut means[centroid * model.dimensions..(centroid + 1) * model.dimensions];
            mean.iter_mut().zip(&vector).for_each(|(mean, value)| *mean = f64::from(*value) * weight);
            of_pass[centroid] = 0;
            refilled = true;
        }
        taken = of_pass.iter().map(|&rows| FADE * rows as f64).collect();
        if refilled {
            model.centroids = means.iter().map(|mean| *mean as f32).collect();
            finish_centroids(&mut model, problem.metric);
        }
        model.iterations += 1;
        if model.centroids == before {
            break;
        }
    }
    (model.counts, model.inertia) = (vec![0; problem.k], vec![0.0; problem.k]);
    for start in (0..rows).step_by(batch) {
        let best = assign(problem, &model, start..(start + batch).min(rows), workers)?;
        model.count(problem.metric, &best);
    }
    Ok(model)
}

/// Returns the nearest centroid of each row in a batch.
fn assign(problem: &Problem<'_>, model: &Model, batch: Range<usize>, workers: &Workers) -> Result<Vec<Best>> {
    let blocks = batch.len().div_ceil(BLOCK);
    let found = workers.map(blocks, |block, (buffer, scores): &mut (Vec<f32>, Scores)| {
        let first = batch.start + block * BLOCK;
        let values = problem.vectors.block(first, (first + BLOCK).min(batch.end), buffer)?;
        let squared: Vec<f64> = values.chunks_exact(model.dimensions).map(squared_norm).collect();
        let rows = Rows { values, squared: &squared, dimensions: model.dimensions };
        Ok(model.nearest(problem.metric, rows, scores))
    })?;
    Ok(found.concat())
}

/// Adds the rows of a batch, which starts at row `start`, to the means of their centroids, in row order.
fn advance(
    problem: &Problem<'_>,
    start: usize,
    best: &[Best],
    (means, taken): (&mut [f64], &mut [f64]),
    model: &mut Model,
    workers: &Workers,
) -> Result<()> {
    let dimensions = model.dimensions;
    let (members, starts) = members(best.iter().map(|best| best.number), problem.k);
    let moved = workers.map(problem.k, |centroid, (buffer, sums): &mut (Vec<f32>, Vec<f64>)| {
        let members = &members[starts[centroid]..starts[centroid + 1]];
        if members.is_empty() {
            return Ok(None);
        }
        sums.clear();
        sums.resize(dimensions, 0.0);
        for &row in members {
            let row = start + row as usize;
            let vector = problem.vectors.block(row, row + 1, buffer)?;
            let weight = weight(problem.metric, vector);
            add_scaled(sums, vector, weight);
        }
        let (new, all) = (members.len() as f64, taken[centroid] + members.len() as f64);
        let mean = &means[centroid * dimensions..(centroid + 1) * dimensions];
        Ok(Some(sums.iter().zip(mean).map(|(sum, mean)| mean + (sum - new * mean) / all).collect::<Vec<f64>>()))
    })?;
    for (centroid, mean) in moved.into_iter().enumerate() {
        let Some(mean) = mean else { continue };
        taken[centroid] += (starts[centroid + 1] - starts[centroid]) as f64;
        let place = centroid * dimensions..(centroid + 1) * dimensions;
        let length = mean.iter().map(|value| value * value).sum::<f64>().sqrt();
        // If the rows cancel out, their mean has no direction and the centroid stays in place.
        if problem.metric == Metric::L2 || length > SHORTEST {
            model.centroids[place.clone()].iter_mut().zip(&mean).for_each(|(to, value)| *to = *value as f32);
        }
        means[place].copy_from_slice(&mean);
    }
    finish_centroids(model, problem.metric);
    Ok(())
}

/// The weight of a row in a mean: 1 / length under the cosine metric, where only direction counts, and 1 under L2.
fn weight(metric: Metric, vector: &[f32]) -> f64 {
    match metric {
        Metric::Cosine => 1.0 / squared_norm(vector).sqrt(),
        Metric::L2 => 1.0,
    }
}
