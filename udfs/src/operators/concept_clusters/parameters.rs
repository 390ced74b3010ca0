//! Arguments of `concept_clusters`.

use serde::{Deserialize, Serialize};

use crate::kernels::vector::search::Metric;

/// The name in SQL.
pub const NAME: &str = "concept_clusters";

/// The arguments of a call. Input columns: the vector, the id, and optionally the text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConceptClusters {
    /// The metric of nearness.
    pub metric: Metric,
    /// Number of clusters.
    pub k: u64,
    /// Maximum number of rounds.
    pub iterations: u64,
    /// Maximum number of rows to fit the centroids to; 0 means all.
    pub sample: u64,
    /// Whether all clusters must receive equally many rows.
    pub balanced: bool,
    /// Maximum number of words in a label.
    pub words: u64,
    /// Seed of the sample and of the initial centroids.
    pub seed: u64,
}
