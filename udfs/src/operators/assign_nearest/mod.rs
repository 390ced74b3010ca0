//! `assign_nearest`: finds the nearest centroid of each row.

pub mod plan;
mod reference;
pub mod run;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, internal_err};
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};

use crate::kernels::vector::search::Metric;
use crate::operators::frame::{Input, Output, RelationOperator, Stage, Work};

/// The name in SQL.
pub const NAME: &str = "assign_nearest";

/// The arguments of a call. Input columns: the vector, and for the second relation the id and vector of the centroid.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AssignNearest {
    /// The metric of nearness.
    pub metric: Metric,
}

impl RelationOperator for AssignNearest {
    const NAME: &'static str = NAME;

    /// Passes all columns through and adds `centroid_id` and `distance`.
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        let [rows, centroids] = inputs else { return internal_err!("{NAME} takes two relations") };
        Ok(Output {
            passed: rows.all(),
            added: vec![
                Field::new("centroid_id", centroids.field(0)?.data_type().clone(), true),
                Field::new("distance", DataType::Float64, true),
            ],
        })
    }

    fn stage(&self) -> Stage {
        Stage::EachPartition
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        run::run(self, work).await
    }
}
