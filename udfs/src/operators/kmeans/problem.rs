//! The clustering problem and the fitted model.

use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;

use crate::kernels::vector::search::{Best, Metric, Rows, Scores, improve};
use crate::storage::vectors::Vectors;

/// Rows per task.
pub(super) const BLOCK: usize = 1024;
/// Approximate number of dot products that a thread holds at once.
const PRODUCTS: usize = 1 << 19;

/// The vectors to cluster and the settings of the fit.
pub struct Problem<'a> {
    /// Name of the operator, for error messages.
    pub op: &'static str,
    /// The vectors. Means add them up in this order, whatever the number of threads.
    pub vectors: &'a Vectors,
    /// The squared lengths of the vectors; none is 0 under [`Metric::Cosine`].
    pub squared: &'a [f64],
    /// The runtime whose memory pool and disk are used.
    pub env: &'a Arc<RuntimeEnv>,
    /// The metric: cosine (spherical k-means) or Euclidean.
    pub metric: Metric,
    /// Number of centroids.
    pub k: usize,
    /// Maximum number of rounds.
    pub iterations: usize,
    /// Seed of the initial centroids.
    pub seed: u64,
    /// Whether all centroids must receive equally many rows.
    pub balanced: bool,
    /// Whether the initial centroids may be drawn from fewer rows. IVF lists allow this, as they need not be good clusters.
    pub rough: bool,
}

#[cfg(test)]
impl<'a> Problem<'a> {
    /// Builds a problem for tests.
    pub(super) fn of(
        vectors: &'a Vectors,
        squared: &'a [f64],
        env: &'a Arc<RuntimeEnv>,
        metric: Metric,
        k: usize,
    ) -> Self {
        let (op, iterations, seed, balanced, rough) = ("test", 0, 0, false, false);
        Self { op, vectors, squared, env, metric, k, iterations, seed, balanced, rough }
    }
}

/// Fitted centroids.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Model {
    /// Values per centroid.
    pub dimensions: usize,
    /// The centroids, concatenated; each has length 1 under [`Metric::Cosine`].
    pub centroids: Vec<f32>,
    /// The squared lengths of the centroids.
    pub squared: Vec<f64>,
    /// Number of rows assigned to each centroid.
    pub counts: Vec<u64>,
    /// Inertia of each centroid: the sum over its rows of the squared distance (L2) or of 1 - cosine.
    pub inertia: Vec<f64>,
    /// Number of rounds that were run.
    pub iterations: usize,
}

impl Model {
    /// A view of the centroids as rows.
    pub fn rows(&self) -> Rows<'_> {
        Rows { values: &self.centroids, squared: &self.squared, dimensions: self.dimensions }
    }

    /// Adds assigned rows to the counts and the inertia.
    pub(super) fn count(&mut self, metric: Metric, rows: &[Best]) {
        for best in rows {
            self.counts[best.number as usize] += 1;
            self.inertia[best.number as usize] += match metric {
                Metric::Cosine => 1.0 - best.score,
                Metric::L2 => -best.score,
            };
        }
    }

    /// Returns the nearest centroid of each of `rows`.
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
