//! `spectral_clusters`: groups of rows that hang together, of any shape.

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

/// What a call asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SpectralClusters {
    /// Clusters at most.
    pub k: u32,
    /// Rows to which affinities are computed.
    pub landmarks: u32,
    /// The width of the affinity; of 0 for the median distance.
    pub sigma: F64Bits,
    /// Seed of the choice of landmarks.
    pub seed: u64,
}

impl RelationOperator for SpectralClusters {
    const NAME: &'static str = NAME;

    /// Id and vector: checked; the id and its cluster.
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
