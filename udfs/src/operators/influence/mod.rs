//! `influence` and `inverse_hvp`: what the loss on a target would do if a training row were left out.

pub mod plan;
pub mod run;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::Result;

use crate::operators::analysis::examples::check_columns;
use crate::operators::analysis::names::plain;

/// The SQL name of the scores.
pub const INFLUENCE: &str = "influence";
/// The SQL name of the vector behind them.
pub const INVERSE_HVP: &str = "inverse_hvp";

/// What a call asks for.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Parameters {
    /// Whether the answer is the vector, not the scores.
    #[prost(bool, tag = "1")]
    pub vector: bool,
    /// Bits of the weight penalty.
    #[prost(fixed64, tag = "2")]
    pub l2_bits: u64,
    /// The stochastic solver; conjugate gradients where there is none.
    #[prost(message, optional, tag = "3")]
    pub lissa: Option<Lissa>,
}

/// The recursion `h <- v + (1 - damp) h - H_row h / scale`.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Lissa {
    /// Rows visited.
    #[prost(uint32, tag = "1")]
    pub depth: u32,
    /// Bits of the damping.
    #[prost(fixed64, tag = "2")]
    pub damp_bits: u64,
    /// Bits of the scale.
    #[prost(fixed64, tag = "3")]
    pub scale_bits: u64,
    /// Seed of the choice of rows.
    #[prost(uint64, tag = "4")]
    pub seed: u64,
}

impl Parameters {
    /// The SQL name.
    pub fn name(&self) -> &'static str {
        if self.vector { INVERSE_HVP } else { INFLUENCE }
    }
}

/// The id and influence of every training row, or the vector, a row a class.
pub fn output(parameters: &Parameters, columns: &[FieldRef]) -> Result<Fields> {
    check_columns(parameters.name(), columns)?;
    if parameters.vector {
        let list = || DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)));
        let fields = [
            Field::new("class", DataType::Int64, false),
            Field::new(INVERSE_HVP, list(), false),
            Field::new("weights", list(), false),
        ];
        return Ok(fields.into_iter().collect());
    }
    let id = Field::new("id", plain(columns[0].data_type()), false);
    Ok([id, Field::new(INFLUENCE, DataType::Float64, false)].into_iter().collect())
}
