//! What a call of `concept_clusters` asks for.

use serde::{Deserialize, Serialize};

use crate::kernels::vector::search::Metric;

/// The name in SQL.
pub const NAME: &str = "concept_clusters";

/// The arguments of a call. Columns: the vector, the id, and the text where there is one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConceptClusters {
    /// What near means.
    pub metric: Metric,
    /// Number of clusters.
    pub k: u64,
    /// Rounds of the fit at most.
    pub iterations: u64,
    /// Rows the centroids are fitted to at most; 0: all.
    pub sample: u64,
    /// Whether clusters share the rows evenly.
    pub balanced: bool,
    /// Words of a label at most.
    pub words: u64,
    /// Seed of the sample and of the first centroids.
    pub seed: u64,
}
