//! `nearest_neighbors`: finds the k nearest rows of each row, in its own relation or in another one.
//!
//! Cells propose: the vectors around one centroid each, of which a row visits the nearest few, as many as a sample of the rows
//! needs. Within a cell exact sums decide.

mod cells;
mod index;
pub mod plan;
mod probes;
pub mod run;
mod search;

use std::fmt;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, internal_err};

use super::call::{Output, Real};
use crate::kernels::vector::search::Metric;

/// The arguments of a call. Columns of each relation: the vector and the id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NearestNeighbors {
    /// What near means.
    pub metric: Metric,
    /// Neighbours of a row at most.
    pub k: u64,
    /// The least cosine or the greatest distance of a neighbour.
    pub threshold: Option<Real>,
    /// Least share of the true neighbours that are found; 1: all.
    pub recall: Real,
    /// Number of cells; 0: by the number of vectors.
    pub cells: u64,
    /// Seed of the cells and of the rows that are measured.
    pub seed: u64,
    /// File of the cells.
    pub index: Option<String>,
}

/// New columns beside the id.
pub const ADDED: [&str; 3] = ["rank", "neighbor_id", "distance"];

impl NearestNeighbors {
    /// One row a pair: the id, `rank`, `neighbor_id` and `distance`.
    pub fn output(&self, inputs: &[&Schema], columns: &[Vec<usize>]) -> Result<Output> {
        let among = inputs.len().saturating_sub(1);
        let (Some([_, id]), Some([_, neighbor])) =
            (columns.first().map(Vec::as_slice), columns.get(among).map(Vec::as_slice))
        else {
            return internal_err!("nearest_neighbors works on the vectors and ids of one or two relations");
        };
        let [rank, neighbor_id, distance] = ADDED;
        Ok(Output {
            passed: vec![],
            added: vec![
                inputs[0].field(*id).clone().with_nullable(false),
                Field::new(rank, DataType::Int64, false),
                Field::new(neighbor_id, inputs[among].field(*neighbor).data_type().clone(), false),
                Field::new(distance, DataType::Float64, false),
            ],
        })
    }

    /// The score below which a row is no neighbour.
    pub fn least_score(&self) -> f64 {
        match (self.threshold, self.metric) {
            (None, _) => f64::NEG_INFINITY,
            (Some(cosine), Metric::Cosine) => cosine.get(),
            // A little more than the square: the root of the sum decides.
            (Some(distance), Metric::L2) => -(distance.get() * distance.get() * (1.0 + 1e-12)),
        }
    }

    /// Whether a row with this score is a neighbour.
    pub fn takes(&self, score: f64) -> bool {
        match (self.threshold, self.metric) {
            (Some(distance), Metric::L2) => self.metric.distance(score) <= distance.get(),
            _ => score >= self.least_score(),
        }
    }
}

impl fmt::Display for NearestNeighbors {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { metric, k, threshold, recall, cells, seed, index } = self;
        write!(f, "metric={}, k={k}, recall={recall}, cells={cells}, seed={seed}", metric.name())?;
        if let Some(threshold) = threshold {
            write!(f, ", threshold={threshold}")?;
        }
        if let Some(index) = index {
            write!(f, ", index={index}")?;
        }
        Ok(())
    }
}
