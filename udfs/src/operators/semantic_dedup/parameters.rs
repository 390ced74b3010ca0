//! What a call of `semantic_dedup` asks for.

use serde::{Deserialize, Serialize};

use crate::operators::frame::F64Bits;

/// The name in SQL.
pub const NAME: &str = "semantic_dedup";

/// When two vectors are duplicates.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SemanticDedup {
    /// The least cosine of a duplicate.
    pub threshold: F64Bits,
    /// Whether a row may go for an earlier row that went itself.
    pub mode: Mode,
    /// Number of cells; 0: by the number of vectors.
    pub cells: u64,
    /// The least share of pairs at the threshold that meet in a cell; 1: all pairs are compared.
    pub recall: F64Bits,
    /// Seed of the cells.
    pub seed: u64,
}

/// Which earlier rows a row may go for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Kept ones.
    Greedy,
    /// Any.
    Prior,
}
