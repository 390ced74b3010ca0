//! `semantic_dedup`: finds rows whose vectors point in nearly the same direction.
//!
//! Pairs are proposed by IVF lists ("cells"). Every vector belongs to the lists of all centroids that are about as near as
//! its nearest one, and pairs within a list are compared. The exact cosine decides, within connected components of the graph
//! of similar pairs.

mod cells;
mod components;
mod decide;
mod distinct;
pub mod matcher;
mod pairs;
pub mod parameters;
pub mod plan;
mod reference;

use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;

use self::matcher::SemanticMatcher;
use super::dedup;
use super::frame::{Input, Output, RelationOperator, Work};

pub use self::parameters::{Mode, NAME, SemanticDedup};

impl RelationOperator for SemanticDedup {
    const NAME: &'static str = NAME;

    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        dedup::output(NAME, inputs)
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        dedup::run::run(NAME, |context| Box::new(SemanticMatcher::new(self, context)), work).await
    }
}
