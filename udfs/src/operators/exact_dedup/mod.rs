//! `exact_dedup`: finds rows whose texts are equal byte for byte.

pub mod matcher;
pub mod plan;
mod reference;

use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};

use self::matcher::ExactMatcher;
use super::dedup;
use super::frame::{Input, Output, RelationOperator, Work};

/// The name in SQL.
pub const NAME: &str = "exact_dedup";

/// The operator has no parameters beyond its columns.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExactDedup {}

impl RelationOperator for ExactDedup {
    const NAME: &'static str = NAME;

    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        dedup::output(NAME, inputs)
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        dedup::run::run(NAME, |context| Box::new(ExactMatcher::new(context)), work).await
    }
}
