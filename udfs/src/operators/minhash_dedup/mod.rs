//! `minhash_dedup`: rows whose texts share most of their shingles.
//!
//! MinHash and LSH banding (Broder 1997; Leskovec, Rajaraman, Ullman, *Mining of Massive Datasets*, chapter 3) propose
//! pairs; the exact Jaccard similarity of the shingle sets decides.

pub mod buckets;
pub mod component;
pub mod matcher;
pub mod plan;
mod reference;
pub mod seen;
pub mod sets;
pub mod sketch;
pub mod stage;

use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};

use self::matcher::SimilarMatcher;
use super::dedup;
use super::frame::{F64Bits, Input, Output, RelationOperator, Work};

/// The name in SQL.
pub const NAME: &str = "minhash_dedup";

/// When two sketched texts are duplicates.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct MinhashDedup {
    /// The least similarity that makes two rows duplicates, above 0 and at most 1.
    pub threshold: F64Bits,
    /// Whether removal needs a verified kept row.
    pub linkage: Linkage,
    /// A row is compared with at most this many earlier rows of a bucket.
    pub bucket_limit: u32,
}

/// How similarity of pairs becomes removal of rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Linkage {
    /// A row goes only for a kept row verified similar to it.
    Direct,
    /// One survivor per connected component, as peers do; the stated similarity may be below the threshold.
    Transitive,
}

impl RelationOperator for MinhashDedup {
    const NAME: &'static str = NAME;

    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        dedup::output(NAME, inputs)
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        dedup::run::run(NAME, |context| Box::new(SimilarMatcher::new(self, context)), work).await
    }
}
