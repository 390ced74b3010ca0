//! `spectral_clusters`: finds connected groups of rows, of any shape.

pub mod plan;
mod reference;
pub mod run;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};

use crate::operators::examples::check_vectors;
use crate::operators::frame::operator::only;
use crate::operators::frame::{F64Bits, Input, Output, RelationOperator, Work};
use crate::operators::interner::plain;

/// The SQL name.
pub const NAME: &str = "spectral_clusters";

/// The arguments of a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SpectralClusters {
    /// Maximum number of clusters.
    pub k: u32,
    /// Number of rows (landmarks) to which affinities are computed.
    pub landmarks: u32,
    /// The width of the affinity kernel; 0 selects the median distance.
    pub sigma: F64Bits,
    /// Seed for choosing landmarks.
    pub seed: u64,
}

impl RelationOperator for SpectralClusters {
    const NAME: &'static str = NAME;

    /// Checks the columns id and vector. Returns the id and its cluster.
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        let columns = &only(NAME, inputs)?.fields()[..];
        let [id, vector] = columns else { return plan_err!("{NAME} takes id and vector") };
        check_vectors(NAME, id, vector)?;
        let id = Field::new("id", plain(id.data_type()), false);
        Ok(Output::own([id, Field::new("cluster_id", DataType::Int32, false)]))
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        run::run(self, work).await
    }
}
