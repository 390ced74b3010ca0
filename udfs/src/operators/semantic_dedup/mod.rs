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
mod reference;

use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};

use self::matcher::SemanticMatcher;
use super::dedup;
use super::frame::{F64Bits, Input, Output, RelationOperator, Work};

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

impl RelationOperator for SemanticDedup {
    const NAME: &'static str = NAME;

    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        dedup::output(NAME, inputs)
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        dedup::run::run(NAME, |context| Box::new(SemanticMatcher::new(self, context)), work).await
    }
}
