//! `kmeans`: finds centroids.

pub mod balanced;
mod distances;
pub mod fit;
pub mod mini_batch;
mod nearest;
pub mod plan;
pub mod run;
pub mod sample;
pub mod seeding;

use std::fmt;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, internal_err};

use super::call::Output;
use crate::functions::vector::embeddings;
use crate::kernels::vector::search::Metric;

/// The arguments of a call. Columns: the vector and the id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kmeans {
    /// Spherical or Euclidean.
    pub metric: Metric,
    /// Number of centroids.
    pub k: u64,
    /// Rounds at most.
    pub iterations: u64,
    /// Rows the centroids are fitted to at most; 0: all.
    pub sample: u64,
    /// Seed of the sample and of the first centroids.
    pub seed: u64,
    /// How centroids move.
    pub rounds: Rounds,
}

/// How centroids move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rounds {
    /// Lloyd's rounds.
    Lloyd,
    /// Lloyd's rounds in which centroids share the rows evenly.
    Balanced,
    /// Passes in batches of that many rows.
    MiniBatch(u64),
}

impl Kmeans {
    /// Only the centroids.
    pub fn output(&self, inputs: &[&Schema], columns: &[Vec<usize>]) -> Result<Output> {
        let ([schema], [columns]) = (inputs, columns) else { return internal_err!("kmeans takes one input") };
        let [vec, _] = columns.as_slice() else { return internal_err!("kmeans works on two columns") };
        let centroid = embeddings::as_f32(schema.field(*vec).data_type());
        Ok(Output {
            passed: vec![],
            added: vec![
                Field::new("centroid_id", DataType::Int64, false),
                Field::new("centroid", centroid, false),
                Field::new("n", DataType::Int64, false),
                Field::new("inertia", DataType::Float64, false),
            ],
        })
    }
}

impl fmt::Display for Kmeans {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { metric, k, iterations, sample, seed, rounds } = self;
        write!(f, "metric={}, k={k}, iterations={iterations}, sample={sample}, seed={seed}", metric.name())?;
        match rounds {
            Rounds::Lloyd => Ok(()),
            Rounds::Balanced => write!(f, ", balanced"),
            Rounds::MiniBatch(rows) => write!(f, ", batch_rows={rows}"),
        }
    }
}
