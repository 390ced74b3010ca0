//! What is fitted, and the centroids.

use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;

use crate::kernels::vector::search::{Best, Metric, Rows, Scores, improve};
use crate::storage::vectors::Vectors;

/// Rows of a task.
pub(super) const BLOCK: usize = 1024;
/// Products held at once by a thread, about.
const PRODUCTS: usize = 1 << 19;

/// What is fitted.
pub struct Problem<'a> {
    /// The operator, for errors.
    pub op: &'static str,
    /// The rows. Means add them up in this order, whatever the number of threads.
    pub vectors: &'a Vectors,
    /// The squares of their lengths; none is 0 under [`Metric::Cosine`].
    pub squared: &'a [f64],
    /// Where memory comes from.
    pub env: &'a Arc<RuntimeEnv>,
    /// Spherical or Euclidean.
    pub metric: Metric,
    /// Number of centroids.
    pub k: usize,
    /// Rounds at most.
    pub iterations: usize,
    /// Seed of the first centroids.
    pub seed: u64,
    /// Whether centroids share the rows evenly.
    pub balanced: bool,
    /// Whether the first centroids may be drawn from few rows: for cells, which need not be good clusters.
    pub rough: bool,
}

#[cfg(test)]
impl<'a> Problem<'a> {
    /// For tests of its parts.
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

/// Centroids.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Model {
    /// Values in a centroid.
    pub dimensions: usize,
    /// The centroids one after the other; of length 1 under [`Metric::Cosine`].
    pub centroids: Vec<f32>,
    /// The squares of their lengths.
    pub squared: Vec<f64>,
    /// Rows nearest to each.
    pub counts: Vec<u64>,
    /// Sum over the rows of each of the squared distance (l2) or of 1 - cosine.
    pub inertia: Vec<f64>,
    /// Rounds done.
    pub iterations: usize,
}

impl Model {
    /// The centroids as rows.
    pub fn rows(&self) -> Rows<'_> {
        Rows { values: &self.centroids, squared: &self.squared, dimensions: self.dimensions }
    }

    /// Adds rows to the counts and to the inertia.
    pub(super) fn count(&mut self, metric: Metric, rows: &[Best]) {
        for best in rows {
            self.counts[best.number as usize] += 1;
            self.inertia[best.number as usize] += match metric {
                Metric::Cosine => 1.0 - best.score,
                Metric::L2 => -best.score,
            };
        }
    }

    /// The nearest centroid of each of `rows`.
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
