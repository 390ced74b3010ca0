//! `influence` and `inverse_hvp`: estimate how the loss on a target would change if a training row were left out.

pub mod plan;
mod reference;
pub mod run;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};

use self::run::Asked;
use super::examples::check_columns;
use super::frame::operator::only;
use super::frame::{F64Bits, Input, Output, RelationOperator, Work};
use super::interner::plain;

/// The SQL name of the scores.
pub const INFLUENCE: &str = "influence";
/// The SQL name of the operator that returns the underlying vector.
pub const INVERSE_HVP: &str = "inverse_hvp";

/// Computes the influence of each training row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Influence(pub Parameters);

/// Computes the vector from which influences are derived, one row per class.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InverseHvp(pub Parameters);

/// The regression and the solver.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Parameters {
    /// The weight penalty.
    pub l2: F64Bits,
    /// The stochastic solver; `None` selects conjugate gradients.
    pub lissa: Option<Lissa>,
}

/// Parameters of the recursion `h <- v + (1 - damp) h - H_row h / scale`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lissa {
    /// Number of rows visited.
    pub depth: u32,
    /// The damping.
    pub damp: F64Bits,
    /// The scale.
    pub scale: F64Bits,
    /// Seed of the choice of rows.
    pub seed: u64,
}

impl RelationOperator for Influence {
    const NAME: &'static str = INFLUENCE;

    /// Returns the id and influence of every training row.
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        let columns = only(INFLUENCE, inputs)?.fields();
        check_columns(INFLUENCE, &columns)?;
        let id = Field::new("id", plain(columns[0].data_type()), false);
        Ok(Output::own([id, Field::new(INFLUENCE, DataType::Float64, false)]))
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        run::run(Asked { name: INFLUENCE, vector: false, parameters: self.0 }, work).await
    }
}

impl RelationOperator for InverseHvp {
    const NAME: &'static str = INVERSE_HVP;

    /// Returns the vector and the weights of every class.
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        check_columns(INVERSE_HVP, &only(INVERSE_HVP, inputs)?.fields())?;
        let list = || DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)));
        Ok(Output::own([
            Field::new("class", DataType::Int64, false),
            Field::new(INVERSE_HVP, list(), false),
            Field::new("weights", list(), false),
        ]))
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        run::run(Asked { name: INVERSE_HVP, vector: true, parameters: self.0 }, work).await
    }
}
