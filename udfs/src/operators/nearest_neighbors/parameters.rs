//! What a call of `nearest_neighbors` asks for.

use serde::{Deserialize, Serialize};

use crate::kernels::vector::search::Metric;
use crate::operators::frame::F64Bits;

/// The name in SQL.
pub const NAME: &str = "nearest_neighbors";

/// The arguments of a call. Columns of each relation: the vector and the id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NearestNeighbors {
    /// What near means.
    pub metric: Metric,
    /// Neighbours of a row at most.
    pub k: u64,
    /// The least cosine or the greatest distance of a neighbour.
    pub threshold: Option<F64Bits>,
    /// Least share of the true neighbours that are found; 1: all.
    pub recall: F64Bits,
    /// Number of cells; 0: by the number of vectors.
    pub cells: u64,
    /// Seed of the cells and of the rows that are measured.
    pub seed: u64,
    /// File of the cells.
    pub index: Option<String>,
}

/// New columns beside the id.
pub const ADDED: [&str; 3] = ["rank", "neighbor_id", "distance"];

impl NearestNeighbors {
    /// The score below which a row is no neighbour.
    pub fn least_score(&self) -> f64 {
        match (self.threshold, self.metric) {
            (None, _) => f64::NEG_INFINITY,
            (Some(cosine), Metric::Cosine) => cosine.get(),
            // A little more than the square: the root of the sum decides.
            (Some(distance), Metric::L2) => -(distance.get() * distance.get() * (1.0 + 1e-12)),
        }
    }

    /// Whether a row with this score is a neighbour.
    pub fn takes(&self, score: f64) -> bool {
        match (self.threshold, self.metric) {
            (Some(distance), Metric::L2) => self.metric.distance(score) <= distance.get(),
            _ => score >= self.least_score(),
        }
    }
}
