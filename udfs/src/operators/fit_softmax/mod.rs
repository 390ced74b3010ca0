//! `fit_softmax`: a small classifier on frozen vectors, and the log of what it predicted while it learned.

pub mod plan;
mod reference;
pub mod run;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};

use crate::operators::examples::check_columns;
use crate::operators::frame::operator::only;
use crate::operators::frame::{F64Bits, Input, Output, RelationOperator, Work};
use crate::operators::interner::plain;

/// The SQL name.
pub const NAME: &str = "fit_softmax";

/// What a call asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FitSoftmax {
    /// Units of the hidden layer; 0 for none.
    pub hidden: u32,
    /// Passes over the rows.
    pub epochs: u32,
    /// Networks, each with a seed of its own.
    pub runs: u32,
    /// Rows of a step.
    pub batch: u32,
    /// The learning rate.
    pub rate: F64Bits,
    /// The momentum.
    pub momentum: F64Bits,
    /// The weight penalty.
    pub l2: F64Bits,
    /// Seed of the first weights and of the order of rows.
    pub seed: u64,
    /// Whether only the last epoch is logged.
    pub last: bool,
}

impl RelationOperator for FitSoftmax {
    const NAME: &'static str = NAME;

    /// The log of training: one row for every row, run and step.
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        let columns = &only(NAME, inputs)?.fields()[..];
        check_columns(NAME, columns)?;
        let list = || DataType::List(Arc::new(Field::new_list_field(DataType::Float32, true)));
        let id = Field::new("id", plain(columns[0].data_type()), false);
        let fields = [
            id,
            Field::new("label", DataType::Int64, true),
            Field::new("run", DataType::Int32, false),
            Field::new("step", DataType::Int32, false),
            Field::new("probs", list(), false),
            Field::new("logits", list(), false),
            Field::new("h_sq", DataType::Float32, false),
            Field::new("w_norm", DataType::Float64, false),
        ];
        Ok(Output::own(fields))
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        run::run(self, work).await
    }
}
