//! What the deduplicators share: survivor order, row keys, the exact decisions and their columns.
//!
//! Semantics. Rows are taken in survivor order (`order_by`, then id). A row is removed if and only if an earlier kept
//! row is verified similar: the lexicographically first maximal independent set of the verified graph. New columns:
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `keep` | Boolean | whether the row survives |
//! | `duplicate_of` | type of id | for a removed row, the first kept row in survivor order verified similar to it |
//! | `similarity` | Float64 | the exact similarity of the two |
//! | `cluster_id` | type of id | the smallest id of the row's connected component in the verified graph |

pub mod contents;
pub mod decisions;
pub mod exec;
pub mod matcher;
pub mod node;
pub mod ranks;
pub mod resolution;

use super::minhash_dedup::sketch::Sketch;
use super::semantic_dedup::Semantic;

/// Name of the column, made by the plan below the operator, that the operator compares rows by.
pub const SKETCH: &str = "__limpid_sketch";

/// When a row goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Equal to an earlier row, byte for byte.
    Exact,
    /// Exact Jaccard similarity of the shingle sets at or above a threshold.
    Similar(Similar),
    /// Exact cosine of two vectors at or above a threshold.
    Semantic(Semantic),
}

/// Parameters of similarity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Similar {
    /// How texts are sketched; its shingles are what is compared.
    pub sketch: Sketch,
    /// Bits of the threshold, 0 < t <= 1.
    pub threshold_bits: u64,
    /// Whether removal needs a verified kept row.
    pub linkage: Linkage,
    /// A row is compared with at most this many earlier rows of a bucket.
    pub bucket_limit: u32,
}

impl Similar {
    /// The least similarity that makes two rows duplicates.
    pub fn threshold(&self) -> f64 {
        f64::from_bits(self.threshold_bits)
    }
}

/// How similarity of pairs becomes removal of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Linkage {
    /// A row goes only for a kept row verified similar to it.
    Direct,
    /// One survivor a connected component, as peers do; the stated similarity may be below the threshold.
    Transitive,
}
