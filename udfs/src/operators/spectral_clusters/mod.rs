//! `spectral_clusters`: groups of rows that hang together, of any shape.

pub mod plan;
pub mod run;

use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, plan_err};

use crate::operators::analysis::examples::check_vectors;
use crate::operators::analysis::names::plain;

/// The SQL name.
pub const NAME: &str = "spectral_clusters";

/// What a call asks for.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Parameters {
    /// Clusters at most.
    #[prost(uint32, tag = "1")]
    pub k: u32,
    /// Rows to which affinities are computed.
    #[prost(uint32, tag = "2")]
    pub landmarks: u32,
    /// Bits of the width of the affinity; of 0 for the median distance.
    #[prost(fixed64, tag = "3")]
    pub sigma_bits: u64,
    /// Seed of the choice of landmarks.
    #[prost(uint64, tag = "4")]
    pub seed: u64,
}

/// Id and vector: checked; the id and its cluster.
pub fn output(columns: &[FieldRef]) -> Result<Fields> {
    let [id, vector] = columns else { return plan_err!("{NAME} takes id and vector") };
    check_vectors(NAME, id, vector)?;
    let id = Field::new("id", plain(id.data_type()), false);
    Ok([id, Field::new("cluster_id", DataType::Int32, false)].into_iter().collect())
}
