//! `multilinear_importance`: estimates the value of each source of a retrieval corpus.

pub mod plan;
mod reference;
pub mod run;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};

use crate::operators::frame::operator::only;
use crate::operators::frame::{F64Bits, Input, Output, RelationOperator, Work};
use crate::operators::interner::plain as plain_type;

/// The SQL name.
pub const NAME: &str = "multilinear_importance";

/// Name of the added column.
pub const IMPORTANCE: &str = "importance";

/// The arguments of a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MultilinearImportance {
    /// Number of results that count per query.
    pub k: u32,
    /// The learning rate.
    pub rate: F64Bits,
    /// Number of gradient ascent steps.
    pub steps: u32,
}

impl RelationOperator for MultilinearImportance {
    const NAME: &'static str = NAME;

    /// Checks the columns query, rank, source, utility and, if there is a fifth, group. Returns the source, its group and its
    /// importance.
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        let columns = &only(NAME, inputs)?.fields()[..];
        let [query, rank, source, utility, group @ ..] = columns else {
            return plan_err!("{NAME} takes query, rank, source and utility");
        };
        for plain in [query, source].into_iter().chain(group) {
            if plain.data_type().is_nested() {
                return plan_err!("{NAME}: `{}` must be a plain value, not {}", plain.name(), plain.data_type());
            }
        }
        if !rank.data_type().is_integer() {
            return plan_err!("{NAME}: rank must be an integer, `{}` is {}", rank.name(), rank.data_type());
        }
        if !utility.data_type().is_numeric() {
            return plan_err!("{NAME}: utility must be a number, `{}` is {}", utility.name(), utility.data_type());
        }
        let kept = [source].into_iter().chain(group);
        let kept = kept.map(|field| Field::new(field.name(), plain_type(field.data_type()), false));
        if kept.clone().any(|field| field.name() == IMPORTANCE) {
            return plan_err!("{NAME}: a column called `{IMPORTANCE}` is added; rename yours");
        }
        Ok(Output::own(kept.chain([Field::new(IMPORTANCE, DataType::Float64, false)])))
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        run::run(self, work).await
    }
}
