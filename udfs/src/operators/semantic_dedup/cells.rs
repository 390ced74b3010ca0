//! Cells: sets of vectors of which pairs are compared.

use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::metrics::MetricBuilder;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::Semantic;
use super::matcher::Distinct;
use super::plan::NAME;
use crate::kernels::random::mix;
use crate::kernels::vector::arithmetic::{dot, squared_norm};
use crate::kernels::vector::search::{Best, Metric, Rows, Scores, at_least, improve};
use crate::operators::call::workers::Workers;
use crate::operators::dedup::matcher::Surroundings;
use crate::operators::kmeans::fit::{Model, Problem, fit};
use crate::operators::kmeans::sample::Sampler;
use crate::storage::vectors::CHUNK;

/// Vectors up to which all pairs are compared: that is quicker than to find cells.
const FEW: usize = 4096;
/// Vectors for each cell that the centroids are fitted to.
const SAMPLE: u64 = 32;
/// Rounds of the fit: cells need not be good clusters.
const ROUNDS: usize = 8;
/// Made-up pairs that the margin is measured on.
const TRIALS: usize = 4096;

/// The vectors of each cell, ascending.
#[derive(Debug)]
pub(super) struct Cells {
    members: Vec<u32>,
    starts: Vec<usize>,
}

impl Cells {
    /// Number of cells.
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The vectors of a cell.
    pub(super) fn members(&self, cell: usize) -> &[u32] {
        &self.members[self.starts[cell]..self.starts[cell + 1]]
    }
}

/// Assigns every vector to its cells.
pub(super) fn assign(
    rule: &Semantic,
    distinct: &Distinct,
    around: &Surroundings,
    workers: &Workers,
    reservation: &MemoryReservation,
) -> Result<Cells> {
    let count = distinct.squared.len();
    let wanted = match rule.cells {
        0 if count <= FEW => 1,
        0 => (2.0 * (count as f64).sqrt()) as usize,
        given => usize::try_from(given).unwrap_or(count).min(count),
    };
    if wanted <= 1 || rule.recall() >= 1.0 {
        return Ok(Cells { members: (0..count as u32).collect(), starts: vec![0, count] });
    }
    let model = centroids(rule, distinct, wanted, around, workers)?;
    let margin = margin(rule, distinct, &model, workers)?;
    MetricBuilder::new(&around.metrics).gauge("cells", 0).set(wanted);
    MetricBuilder::new(&around.metrics).gauge("cell_margin_millionths", 0).set((margin * 1e6) as usize);

    let blocks = workers.map(count.div_ceil(CHUNK), |block, (buffer, scores): &mut (Vec<f32>, Scores)| {
        let (first, end) = (block * CHUNK, ((block + 1) * CHUNK).min(count));
        let values = distinct.vectors.block(first, end, buffer)?;
        let mut found: Vec<(u32, u32)> = vec![];
        let step = 256;
        for start in (first..end).step_by(step) {
            let stop = (start + step).min(end);
            let values = &values[(start - first) * model.dimensions..(stop - first) * model.dimensions];
            let rows = Rows { values, squared: &distinct.squared[start..stop], dimensions: model.dimensions };
            near(rows, &model, margin, scores, |at, cell| found.push((cell, (start + at) as u32)));
        }
        Ok(found)
    })?;
    let total: usize = blocks.iter().map(Vec::len).sum();
    reservation.try_grow(total * 12 + wanted * 8)?;
    MetricBuilder::new(&around.metrics).counter("cell_memberships", 0).add(total);
    let mut starts = vec![0; wanted + 1];
    for (cell, _) in blocks.iter().flatten() {
        starts[*cell as usize + 1] += 1;
    }
    for cell in 0..wanted {
        starts[cell + 1] += starts[cell];
    }
    let (mut members, mut next) = (vec![0; total], starts.clone());
    for (cell, vector) in blocks.into_iter().flatten() {
        members[next[cell as usize]] = vector;
        next[cell as usize] += 1;
    }
    Ok(Cells { members, starts })
}

/// Calls `visit` for every row and centroid whose exact cosine is within `margin` of the row's best.
fn near(rows: Rows<'_>, model: &Model, margin: f64, scores: &mut Scores, mut visit: impl FnMut(usize, u32)) {
    let centroids = model.rows();
    scores.fill(Metric::Cosine, rows, centroids);
    for at in 0..rows.len() {
        let mut best = Best::NONE;
        let (pair, limit) = ((rows, centroids), (at, centroids.len()));
        improve(Metric::Cosine, pair, scores, limit, |there| there as u32, &mut best);
        let least = best.score - margin;
        let (row, error) = scores.row(at);
        at_least(row, ((least - error) as f32).next_down(), |there| {
            let sure = f64::from(row[there]) >= least + error;
            if sure || rows.score(Metric::Cosine, at, &centroids, there) >= least {
                visit(at, there as u32);
            }
        });
    }
}

/// Centroids of a sample that depends on the values alone.
fn centroids(
    rule: &Semantic,
    distinct: &Distinct,
    cells: usize,
    around: &Surroundings,
    workers: &Workers,
) -> Result<Model> {
    let mut sampler = Sampler::new("sample of semantic_dedup", SAMPLE * cells as u64, around);
    let mut buffer = vec![];
    let mut bytes: Vec<u8> = vec![];
    for (at, &squared) in distinct.squared.iter().enumerate() {
        let vector = distinct.vectors.block(at, at + 1, &mut buffer)?;
        bytes.clear();
        bytes.extend(vector.iter().flat_map(|value| value.to_le_bytes()));
        let bits = xxh3_64_with_seed(&bytes, mix(rule.seed));
        if sampler.takes(bits) {
            sampler.add(bits, vector, squared)?;
        }
    }
    let sample = sampler.finish()?;
    let problem = Problem {
        op: NAME,
        balanced: false,
        vectors: &sample.vectors,
        squared: &sample.squared,
        metric: Metric::Cosine,
        k: cells,
        iterations: ROUNDS,
        seed: rule.seed,
    };
    fit(&problem, workers)
}

/// The margin at which the wanted share of pairs at the threshold meets in a cell, measured on made-up pairs: a vector of
/// the data and one at exactly the threshold from it, in the direction in which another vector differs from its centroid.
/// Similar things differ as things of one kind do.
fn margin(rule: &Semantic, distinct: &Distinct, model: &Model, workers: &Workers) -> Result<f64> {
    let count = distinct.squared.len();
    let trials = count.min(TRIALS);
    // Evenly spread over the vectors: their survivor order has nothing to do with cells.
    let place = |trial: usize| trial * count / trials;
    let found = workers.map(trials.div_ceil(64), |block, scores: &mut Scores| {
        let (mut buffer, mut other) = (vec![], vec![]);
        let mut needed = vec![];
        for trial in block * 64..((block + 1) * 64).min(trials) {
            let (at, from) = (place(trial), place((trial + trials / 2 + 1) % trials));
            let x = unit(distinct.vectors.block(at, at + 1, &mut buffer)?);
            let z = unit(distinct.vectors.block(from, from + 1, &mut other)?);
            let squared = [squared_norm(&z)];
            let of_z = Rows { values: &z, squared: &squared, dimensions: model.dimensions };
            let nearest = model.nearest(Metric::Cosine, of_z, scores);
            let centroid = nearest.first().map_or(0, |best| best.number as usize);
            let centroid = model.rows().row(centroid);
            let residual: Vec<f32> = z.iter().zip(centroid).map(|(z, c)| z - c).collect();
            let Some(y) = at_cosine(&x, &residual, rule.threshold()) else { continue };
            let gaps = [gaps(&x, model), gaps(&y, model)];
            let meeting = gaps[0].iter().zip(&gaps[1]).map(|(x, y)| x.max(*y)).fold(f64::INFINITY, f64::min);
            needed.push(meeting);
        }
        Ok(needed)
    })?;
    let mut needed = found.concat();
    if needed.is_empty() {
        return Ok(2.0);
    }
    needed.sort_unstable_by(f64::total_cmp);
    // Half of what may be missed is left for the difference between made-up and real pairs.
    let share = 1.0 - (1.0 - rule.recall()) / 2.0;
    let at = ((needed.len() as f64 * share).ceil() as usize).clamp(1, needed.len());
    Ok(needed[at - 1])
}

fn unit(vector: &[f32]) -> Vec<f32> {
    let norm = squared_norm(vector).sqrt();
    vector.iter().map(|&value| (f64::from(value) / norm) as f32).collect()
}

/// The unit vector at this cosine from the unit vector `x`, on the side of `direction`; `None` where that is parallel to `x`.
fn at_cosine(x: &[f32], direction: &[f32], cosine: f64) -> Option<Vec<f32>> {
    let along = dot(x, direction);
    let across: Vec<f32> =
        direction.iter().zip(x).map(|(&d, &x)| (f64::from(d) - along * f64::from(x)) as f32).collect();
    let norm = squared_norm(&across).sqrt();
    let sine = (1.0 - cosine * cosine).max(0.0).sqrt();
    (norm > 1e-6).then(|| {
        let mixed = x.iter().zip(&across).map(|(&x, &a)| (cosine * f64::from(x) + sine * f64::from(a) / norm) as f32);
        mixed.collect()
    })
}

/// How far each centroid's cosine is below the best.
fn gaps(x: &[f32], model: &Model) -> Vec<f64> {
    let squared = squared_norm(x);
    let centroids = model.rows();
    let cosines: Vec<f64> = (0..centroids.len())
        .map(|there| Metric::Cosine.score(x, centroids.row(there), squared, centroids.squared[there]))
        .collect();
    let best = cosines.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    cosines.into_iter().map(|cosine| best - cosine).collect()
}
