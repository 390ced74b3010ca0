//! Clusters of rows: assignment, distances to the centroids, and positions on a plane.

use datafusion::common::Result;

use super::parameters::ConceptClusters;
use super::parameters::NAME;
use crate::kernels::vector::plane::Plane;
use crate::kernels::vector::search::{Best, Metric};
use crate::operators::frame::OperatorContext;
use crate::operators::kmeans::balanced;
use crate::operators::kmeans::fit::{assign, fit, members};
use crate::operators::kmeans::problem::Problem;
use crate::operators::kmeans::sample::Sample;
use crate::operators::vectors::table::Table;
use crate::operators::workers::Workers;
use crate::storage::vectors::CHUNK;

/// Maximum number of rows to which the plane is fitted.
const PLANE: usize = 4096;

/// The clustered vectors of a table, indexed by vector. Clusters are numbered by descending size; of equally large ones, the
/// one with the earliest row comes first.
pub struct Groups {
    /// The cluster of each vector.
    pub cluster: Vec<u32>,
    /// Distance of each vector to its centroid.
    pub distance: Vec<f64>,
    /// Rank of each row in its cluster by distance to the centroid, from 0; ties are broken by id.
    pub rank: Vec<u32>,
    /// Coordinates on the plane along which the rows vary most.
    pub place: Vec<[f64; 2]>,
    /// Number of rows per cluster.
    pub sizes: Vec<u64>,
    /// `1 / (1 + mean distance)` of each cluster.
    pub densities: Vec<f64>,
    /// Number of rounds of the fit.
    pub iterations: usize,
}

/// Bytes in memory per row.
pub const ENTRY: usize = 64;

/// Finds the clusters. O(sample * k * d) per round of the fit, and O(n k d) for the assignment.
pub fn find(call: &ConceptClusters, table: &Table, context: &OperatorContext, workers: &Workers) -> Result<Groups> {
    let k = usize::try_from(call.k).unwrap_or(usize::MAX);
    let (sample, env) = (sample(call, table, context)?, context.task.runtime_env());
    let mut problem = Problem {
        env: &env,
        op: NAME,
        vectors: &sample.vectors,
        squared: &sample.squared,
        metric: call.metric,
        k,
        iterations: call.iterations as usize,
        seed: call.seed,
        balanced: call.balanced,
        rough: false,
    };
    let model = fit(&problem, workers)?;
    let plane = plane(call.metric, &sample)?;
    (problem.vectors, problem.squared) = (&table.vectors, &table.squared);
    let best = match call.balanced {
        true => balanced::assign(&problem, &model, workers)?,
        false => assign(&problem, &model, workers)?,
    };
    drop(sample);
    let mut groups = Groups::new(call.metric, k, &best);
    groups.iterations = model.iterations;
    let vectors = table.vectors.len();
    let places = workers.map(vectors.div_ceil(CHUNK), |block, buffer: &mut Vec<f32>| {
        let (first, end) = (block * CHUNK, ((block + 1) * CHUNK).min(vectors));
        let values = table.vectors.block(first, end, buffer)?;
        let rows = values.chunks_exact(table.vectors.dimensions()).zip(&table.squared[first..end]);
        Ok(rows.map(|(vector, squared)| plane.place(vector, scale(call.metric, *squared))).collect::<Vec<_>>())
    })?;
    groups.place = places.concat();
    Ok(groups)
}

impl Groups {
    fn new(metric: Metric, k: usize, best: &[Best]) -> Self {
        let (rows, starts) = members(best.iter().map(|best| best.number), k);
        let of = |centroid: usize| &rows[starts[centroid]..starts[centroid + 1]];
        let mut order: Vec<usize> = (0..k).collect();
        order.sort_by_key(|&centroid| (std::cmp::Reverse(of(centroid).len()), of(centroid).first().copied(), centroid));
        let distance: Vec<f64> = best.iter().map(|best| metric.distance(best.score)).collect();
        let (mut cluster, mut rank) = (vec![0; best.len()], vec![0; best.len()]);
        let (mut sizes, mut densities) = (vec![], vec![]);
        for (number, &centroid) in order.iter().enumerate() {
            let mut rows = of(centroid).to_vec();
            let total: f64 = rows.iter().map(|&row| distance[row as usize]).sum();
            sizes.push(rows.len() as u64);
            densities.push(1.0 / (1.0 + total / rows.len().max(1) as f64));
            rows.sort_by(|&a, &b| distance[a as usize].total_cmp(&distance[b as usize]).then(a.cmp(&b)));
            for (place, &row) in rows.iter().enumerate() {
                (cluster[row as usize], rank[row as usize]) = (number as u32, place as u32);
            }
        }
        Self { cluster, distance, rank, place: vec![], sizes, densities, iterations: 0 }
    }
}

/// Samples the rows with the smallest random bits.
fn sample(call: &ConceptClusters, table: &Table, context: &OperatorContext) -> Result<Sample> {
    let squared = |at: u32| Ok(table.squared[at as usize]);
    Sample::of(NAME, &table.vectors, squared, table.bits.iter().map(|bits| Ok(*bits)), call.sample, context)
}

fn plane(metric: Metric, sample: &Sample) -> Result<Plane> {
    let (count, dimensions) = (sample.vectors.len().min(PLANE), sample.vectors.dimensions());
    let (mut rows, mut buffer) = (Vec::with_capacity(count * dimensions), vec![]);
    for at in 0..count {
        let scale = scale(metric, sample.squared[at]);
        let vector = sample.vectors.block(at, at + 1, &mut buffer)?;
        rows.extend(vector.iter().map(|value| (f64::from(*value) * scale) as f32));
    }
    Ok(Plane::of(&rows, dimensions))
}

/// The factor by which a vector is scaled before comparisons.
fn scale(metric: Metric, squared: f64) -> f64 {
    match metric {
        Metric::Cosine => 1.0 / squared.sqrt(),
        Metric::L2 => 1.0,
    }
}
