//! `max_prior_similarity`: finds the most similar earlier row of each row.

pub mod plan;
mod reference;
pub mod run;

use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};

use crate::operators::frame::operator::{COMPARED_COLUMN, only};
use crate::operators::frame::{F64Bits, Input, Output, RelationOperator, Work};

/// The name in SQL.
pub const NAME: &str = "max_prior_similarity";

/// The arguments of a call. Input columns: the vector, the id, and optionally the group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MaxPriorSimilarity {
    /// The earlier rows to compare with.
    pub mode: Mode,
}

/// The earlier rows to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All earlier rows.
    Prior,
    /// Only earlier rows whose own value is below the threshold.
    Greedy(F64Bits),
}

impl RelationOperator for MaxPriorSimilarity {
    const NAME: &'static str = NAME;

    /// Passes all columns through and adds `max_prior_similarity` and `prior_id`.
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        let input = only(NAME, inputs)?;
        Ok(Output {
            passed: input.without(COMPARED_COLUMN),
            added: vec![
                Field::new("max_prior_similarity", DataType::Float64, false),
                Field::new("prior_id", input.field(1)?.data_type().clone(), true),
            ],
        })
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        run::run(self, work).await
    }
}
