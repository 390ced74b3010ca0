//! `max_prior_similarity`: finds each row's most similar earlier row.

pub mod plan;
pub mod run;

use std::fmt;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, internal_err};

use super::call::{Output, Real};
use super::dedup::SKETCH;

/// The arguments of a call. Columns: the vector, the id, and the group where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MaxPriorSimilarity {
    /// Which earlier rows count.
    pub mode: Mode,
}

/// Which earlier rows count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// All of them.
    Prior,
    /// Those whose own value is below the threshold.
    Greedy(Real),
}

impl MaxPriorSimilarity {
    /// All columns, then `max_prior_similarity` and `prior_id`.
    pub fn output(&self, inputs: &[&Schema], columns: &[Vec<usize>]) -> Result<Output> {
        let ([schema], [columns]) = (inputs, columns) else {
            return internal_err!("max_prior_similarity takes one input");
        };
        let (Some(&id), true) = (columns.get(1), columns.len() <= 3) else {
            return internal_err!("max_prior_similarity works on two or three columns");
        };
        Ok(Output {
            passed: (0..schema.fields().len()).filter(|&column| schema.field(column).name() != SKETCH).collect(),
            added: vec![
                Field::new("max_prior_similarity", DataType::Float64, false),
                Field::new("prior_id", schema.field(id).data_type().clone(), true),
            ],
        })
    }
}

impl fmt::Display for MaxPriorSimilarity {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.mode {
            Mode::Prior => write!(f, "mode=prior"),
            Mode::Greedy(threshold) => write!(f, "mode=greedy, threshold={threshold}"),
        }
    }
}
