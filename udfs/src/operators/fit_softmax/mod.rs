//! `fit_softmax`: trains a small classifier on frozen vectors and logs its predictions during training.

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

/// The arguments of a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FitSoftmax {
    /// Units of the hidden layer; 0 for no hidden layer.
    pub hidden: u32,
    /// Number of passes over the rows.
    pub epochs: u32,
    /// Number of networks to train, each with its own seed.
    pub runs: u32,
    /// Rows per step.
    pub batch: u32,
    /// The learning rate.
    pub rate: F64Bits,
    /// The momentum.
    pub momentum: F64Bits,
    /// The weight penalty.
    pub l2: F64Bits,
    /// Seed of the initial weights and of the order of rows.
    pub seed: u64,
    /// Whether only the last epoch is logged.
    pub last: bool,
}

impl RelationOperator for FitSoftmax {
    const NAME: &'static str = NAME;

    /// The training log: one output row per row, run and epoch.
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
