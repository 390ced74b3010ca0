//! `kmeans`: clusters vectors and returns the centroids.

pub mod balanced;
mod distances;
pub mod fit;
pub mod mini_batch;
mod nearest;
pub mod plan;
pub mod problem;
mod reference;
pub mod run;
pub mod sample;
pub mod seeding;

use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};

use crate::functions::vector::embeddings;
use crate::kernels::vector::search::Metric;
use crate::operators::frame::operator::only;
use crate::operators::frame::{Input, Output, RelationOperator, Work};

/// The name in SQL.
pub const NAME: &str = "kmeans";

/// The arguments of a call. Input columns: the vector and the id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kmeans {
    /// The metric: cosine (spherical k-means) or Euclidean.
    pub metric: Metric,
    /// Number of centroids.
    pub k: u64,
    /// Maximum number of rounds.
    pub iterations: u64,
    /// Maximum number of rows to fit the centroids to; 0 means all.
    pub sample: u64,
    /// Seed of the sample and of the initial centroids.
    pub seed: u64,
    /// The fitting algorithm.
    pub rounds: Rounds,
}

/// The fitting algorithm, which decides how centroids move.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounds {
    /// Lloyd's algorithm.
    Lloyd,
    /// Lloyd's algorithm with a balanced assignment: all centroids receive the same number of rows, give or take one.
    Balanced,
    /// Mini-batch passes, with the number of rows per batch.
    MiniBatch(u64),
}

impl RelationOperator for Kmeans {
    const NAME: &'static str = NAME;

    /// The output holds the centroids only; no input column is passed through.
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        let centroid = embeddings::as_f32(only(NAME, inputs)?.field(0)?.data_type());
        Ok(Output::own([
            Field::new("centroid_id", DataType::Int64, false),
            Field::new("centroid", centroid, false),
            Field::new("n", DataType::Int64, false),
            Field::new("inertia", DataType::Float64, false),
        ]))
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        run::run(self, work).await
    }
}
