//! `connected_components`: finds the connected component of every edge.

pub mod plan;
mod reference;
pub mod run;
#[cfg(test)]
mod tests;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};

use super::frame::operator::only;
use super::frame::{Input, Output, RelationOperator, Work};

/// The name in SQL.
pub const NAME: &str = "connected_components";

/// Name of the added column.
pub const COMPONENT: &str = "component";

/// The operator has no parameters beyond its columns, the two ends of an edge.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConnectedComponents {}

impl RelationOperator for ConnectedComponents {
    const NAME: &'static str = NAME;

    /// Passes all columns through and adds the smallest id of the component.
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        let input = only(NAME, inputs)?;
        let (source, target) = (input.field(0)?, input.field(1)?);
        let [from, to]: [&DataType; 2] = [source.data_type(), target.data_type()];
        if from != to {
            return plan_err!(
                "{NAME}: `{}` is {from} and `{}` is {to}; both ends must have one type",
                source.name(),
                target.name()
            );
        }
        Ok(Output { passed: input.all(), added: vec![Field::new(COMPONENT, from.clone(), false)] })
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        run::run(work).await
    }
}
