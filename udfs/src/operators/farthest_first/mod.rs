//! `farthest_first`: ranks rows so that each is as far as possible from those ranked before.

pub mod plan;
mod reference;
pub mod run;

use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};

use crate::kernels::vector::search::Metric;
use crate::operators::frame::operator::{COMPARED_COLUMN, only};
use crate::operators::frame::{Input, Output, RelationOperator, Work};

/// The name in SQL.
pub const NAME: &str = "farthest_first";

/// The arguments of a call. Input columns: the vector, the id, and optionally the group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FarthestFirst {
    /// The metric of distance.
    pub metric: Metric,
    /// Maximum number of ranked rows per group.
    pub k: u64,
    /// How the first row is chosen.
    pub init: Init,
    /// Seed of a random first row.
    pub seed: u64,
}

/// How the first row is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// The row farthest from its nearest neighbour.
    NeighbourMax,
    /// The row with the smallest hash of seed and id.
    Random,
    /// The first row of `order_by`.
    First,
}

/// The SQL names of [`Init`].
pub const INITS: &[(&str, Init)] = &[("nn_max", Init::NeighbourMax), ("random", Init::Random), ("first", Init::First)];

impl RelationOperator for FarthestFirst {
    const NAME: &'static str = NAME;

    /// Passes all columns through and adds `rank` and `min_distance`.
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        Ok(Output {
            passed: only(NAME, inputs)?.without(COMPARED_COLUMN),
            added: vec![Field::new("rank", DataType::Int64, true), Field::new("min_distance", DataType::Float64, true)],
        })
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        run::run(self, work).await
    }
}
