//! `farthest_first`: ranks rows so that each is as far as possible from those ranked before.

pub mod plan;
pub mod run;

use std::fmt;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, internal_err};

use super::call::Output;
use super::dedup::SKETCH;
use crate::kernels::vector::search::Metric;

/// The arguments of a call. Columns: the vector, the id, and the group where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FarthestFirst {
    /// What far means.
    pub metric: Metric,
    /// Rows ranked in a group at most.
    pub k: u64,
    /// Who is ranked first.
    pub init: Init,
    /// Seed of a random first row.
    pub seed: u64,
}

/// Who is ranked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Init {
    /// The row farthest from its nearest neighbour.
    NeighbourMax,
    /// The row with the least hash of seed and id.
    Random,
    /// The first row of `order_by`.
    First,
}

/// The SQL names of [`Init`].
pub const INITS: [(&str, Init); 3] = [("nn_max", Init::NeighbourMax), ("random", Init::Random), ("first", Init::First)];

impl FarthestFirst {
    /// All columns, then `rank` and `min_distance`.
    pub fn output(&self, inputs: &[&Schema], columns: &[Vec<usize>]) -> Result<Output> {
        let ([schema], [columns]) = (inputs, columns) else { return internal_err!("farthest_first takes one input") };
        if !(2..=3).contains(&columns.len()) {
            return internal_err!("farthest_first works on two or three columns");
        }
        Ok(Output {
            passed: (0..schema.fields().len()).filter(|&column| schema.field(column).name() != SKETCH).collect(),
            added: vec![Field::new("rank", DataType::Int64, true), Field::new("min_distance", DataType::Float64, true)],
        })
    }
}

impl fmt::Display for FarthestFirst {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { metric, k, init, seed } = self;
        write!(f, "metric={}, k={k}, init={init:?}, seed={seed}", metric.name())
    }
}
