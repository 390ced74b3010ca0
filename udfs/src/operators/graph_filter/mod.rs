//! `graph_filter`: visits rows by score and accepts them while their concepts agree with those of the accepted rows.

pub mod plan;
mod reference;
pub mod run;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};

use crate::operators::frame::operator::only;
use crate::operators::frame::{Input, Output, RelationOperator, Work};
use crate::operators::interner::plain;

/// The SQL name.
pub const NAME: &str = "graph_filter";

/// The operator has no parameters beyond its columns.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GraphFilter {}

impl RelationOperator for GraphFilter {
    const NAME: &'static str = NAME;

    /// Checks the columns id, score and concepts. Returns the id, whether the row is kept, and the reason if it is not.
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        let columns = &only(NAME, inputs)?.fields()[..];
        let [id, score, concepts] = columns else { return plan_err!("{NAME} takes id, score and concepts") };
        if id.data_type().is_nested() {
            return plan_err!("{NAME}: id must be a plain value, `{}` is {}", id.name(), id.data_type());
        }
        if !score.data_type().is_numeric() {
            return plan_err!("{NAME}: score must be a number, `{}` is {}", score.name(), score.data_type());
        }
        let texts = match concepts.data_type() {
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                item.data_type().is_string()
            }
            _ => false,
        };
        if !texts {
            return plan_err!(
                "{NAME}: concepts must be a list of texts, `{}` is {}",
                concepts.name(),
                concepts.data_type()
            );
        }
        let id = Field::new("id", plain(id.data_type()), false);
        let fields = [id, Field::new("keep", DataType::Boolean, false), Field::new("reason", DataType::Utf8, true)];
        Ok(Output::own(fields))
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        run::run(self, work).await
    }
}
