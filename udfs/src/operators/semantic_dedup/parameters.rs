//! Arguments of `semantic_dedup`.

use serde::{Deserialize, Serialize};

use crate::operators::frame::F64Bits;

/// The name in SQL.
pub const NAME: &str = "semantic_dedup";

/// When two vectors count as duplicates.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SemanticDedup {
    /// Minimum cosine of duplicates.
    pub threshold: F64Bits,
    /// Whether a row may be removed for an earlier row that was removed itself.
    pub mode: Mode,
    /// Number of IVF lists; 0 chooses it from the number of vectors.
    pub cells: u64,
    /// Minimum fraction of pairs at the threshold that meet in a list; 1 compares all pairs.
    pub recall: F64Bits,
    /// Seed of the lists.
    pub seed: u64,
}

/// The earlier rows for which a row may be removed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Kept rows only.
    Greedy,
    /// Any earlier row.
    Prior,
}
