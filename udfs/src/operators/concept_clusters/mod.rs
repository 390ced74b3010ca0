//! `concept_clusters`: clusters rows by k-means, ranks the rows within their cluster and labels the clusters.

mod groups;
pub mod parameters;
pub mod plan;
mod reference;
pub mod run;
mod words;

use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;

use crate::operators::frame::operator::{COMPARED_COLUMN, only};
use crate::operators::frame::{Input, Output, RelationOperator, Work};

pub use self::parameters::{ConceptClusters, NAME};

impl RelationOperator for ConceptClusters {
    const NAME: &'static str = NAME;

    /// Passes all columns through and adds those about the row and its cluster.
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        Ok(Output {
            passed: only(NAME, inputs)?.without(COMPARED_COLUMN),
            added: vec![
                Field::new("concept", DataType::Int64, true),
                Field::new("distance", DataType::Float64, true),
                Field::new("central_rank", DataType::Int64, true),
                Field::new("atypical_rank", DataType::Int64, true),
                Field::new("concept_size", DataType::Int64, true),
                Field::new("concept_density", DataType::Float64, true),
                Field::new("concept_label", DataType::Utf8, true),
                Field::new("map_x", DataType::Float64, true),
                Field::new("map_y", DataType::Float64, true),
            ],
        })
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        run::run(self, work).await
    }
}
