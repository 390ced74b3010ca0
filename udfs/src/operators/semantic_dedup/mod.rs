//! `semantic_dedup`: rows whose vectors point in nearly the same direction.
//!
//! Cells propose: every vector belongs to the cells of all centroids that are about as near as the nearest one, and pairs
//! within a cell are compared. The exact cosine decides, in components of the graph of similar pairs.

mod cells;
mod components;
mod decide;
pub mod matcher;
mod pairs;
pub mod plan;

/// Parameters of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Semantic {
    /// Bits of the least cosine of a duplicate.
    pub threshold_bits: u64,
    /// Whether a row may go for an earlier row that went itself.
    pub mode: Mode,
    /// Number of cells; 0: by the number of vectors.
    pub cells: u64,
    /// Bits of the least share of pairs at the threshold that meet in a cell; 1: all pairs are compared.
    pub recall_bits: u64,
    /// Seed of the cells.
    pub seed: u64,
}

/// Which earlier rows a row may go for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Kept ones.
    Greedy,
    /// Any.
    Prior,
}

impl Semantic {
    /// The least cosine of a duplicate.
    pub fn threshold(&self) -> f64 {
        f64::from_bits(self.threshold_bits)
    }

    /// The least share of pairs at the threshold that meet in a cell.
    pub fn recall(&self) -> f64 {
        f64::from_bits(self.recall_bits)
    }
}
