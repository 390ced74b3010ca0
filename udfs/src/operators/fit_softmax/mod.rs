//! `fit_softmax`: a small classifier on frozen vectors, and the log of what it predicted while it learned.

pub mod plan;
pub mod run;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::Result;

use crate::operators::analysis::examples::check_columns;
use crate::operators::analysis::names::plain;

/// The SQL name.
pub const NAME: &str = "fit_softmax";

/// What a call asks for.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Parameters {
    /// Units of the hidden layer; 0 for none.
    #[prost(uint32, tag = "1")]
    pub hidden: u32,
    /// Passes over the rows.
    #[prost(uint32, tag = "2")]
    pub epochs: u32,
    /// Networks, each with a seed of its own.
    #[prost(uint32, tag = "3")]
    pub runs: u32,
    /// Rows of a step.
    #[prost(uint32, tag = "4")]
    pub batch: u32,
    /// Bits of the learning rate.
    #[prost(fixed64, tag = "5")]
    pub rate_bits: u64,
    /// Bits of the momentum.
    #[prost(fixed64, tag = "6")]
    pub momentum_bits: u64,
    /// Bits of the weight penalty.
    #[prost(fixed64, tag = "7")]
    pub l2_bits: u64,
    /// Seed of the first weights and of the order of rows.
    #[prost(uint64, tag = "8")]
    pub seed: u64,
    /// Whether only the last epoch is logged.
    #[prost(bool, tag = "9")]
    pub last: bool,
}

/// The log of training: one row for every row, run and step.
pub fn output(columns: &[FieldRef]) -> Result<Fields> {
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
    Ok(fields.into_iter().collect())
}
