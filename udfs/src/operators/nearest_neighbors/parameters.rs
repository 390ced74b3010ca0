//! Arguments of `nearest_neighbors`.

use serde::{Deserialize, Serialize};

use crate::kernels::vector::search::Metric;
use crate::operators::frame::F64Bits;

/// The name in SQL.
pub const NAME: &str = "nearest_neighbors";

/// The arguments of a call. Input columns of each relation: the vector and the id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NearestNeighbors {
    /// The metric of nearness.
    pub metric: Metric,
    /// Maximum number of neighbours per row.
    pub k: u64,
    /// Minimum cosine, or maximum distance, of a neighbour.
    pub threshold: Option<F64Bits>,
    /// Minimum fraction of the true neighbours to find; 1 means all.
    pub recall: F64Bits,
    /// Number of IVF lists; 0 chooses it from the number of vectors.
    pub cells: u64,
    /// Seed of the lists and of the sample on which recall is measured.
    pub seed: u64,
    /// File in which the lists are stored.
    pub index: Option<String>,
}

/// Output columns in addition to the id.
pub const ADDED: [&str; 3] = ["rank", "neighbor_id", "distance"];

impl NearestNeighbors {
    /// The minimum score of a neighbour.
    pub fn least_score(&self) -> f64 {
        match (self.threshold, self.metric) {
            (None, _) => f64::NEG_INFINITY,
            (Some(cosine), Metric::Cosine) => cosine.get(),
            // Slightly more than the squared distance, because the square root of the sum decides later.
            (Some(distance), Metric::L2) => -(distance.get() * distance.get() * (1.0 + 1e-12)),
        }
    }

    /// Whether a row with this score counts as a neighbour.
    pub fn takes(&self, score: f64) -> bool {
        match (self.threshold, self.metric) {
            (Some(distance), Metric::L2) => self.metric.distance(score) <= distance.get(),
            _ => score >= self.least_score(),
        }
    }
}
