//! `nearest_neighbors`: finds the k nearest rows of each row, in the same relation or in another one.
//!
//! This is an IVF search. Each list ("cell") holds the vectors around one centroid, and a row visits the lists of its nearest
//! centroids. The number of lists to visit is measured on a sample of the rows. Within a list, exact scores decide.

mod cells;
mod index;
pub mod parameters;
pub mod plan;
mod probes;
mod reference;
pub mod run;
mod search;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, internal_err};
use datafusion::execution::SendableRecordBatchStream;

use crate::operators::frame::{Input, Output, RelationOperator, Work};

pub use self::parameters::{ADDED, NAME, NearestNeighbors};

impl RelationOperator for NearestNeighbors {
    const NAME: &'static str = NAME;

    /// One row per pair: the id, `rank`, `neighbor_id` and `distance`.
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        let (Some(rows), Some(among)) = (inputs.first(), inputs.last()) else {
            return internal_err!("{NAME} takes one or two relations");
        };
        let [rank, neighbor_id, distance] = ADDED;
        Ok(Output::own([
            rows.field(1)?.clone().with_nullable(false),
            Field::new(rank, DataType::Int64, false),
            Field::new(neighbor_id, among.field(1)?.data_type().clone(), false),
            Field::new(distance, DataType::Float64, false),
        ]))
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        run::run(self, work).await
    }
}
