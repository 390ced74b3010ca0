//! `minhash_dedup`: finds rows whose texts share most of their shingles.
//!
//! MinHash and LSH banding (Broder 1997; Leskovec, Rajaraman, Ullman, *Mining of Massive Datasets*, chapter 3) propose pairs;
//! the exact Jaccard similarity of the shingle sets decides.

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

/// When two sketched texts count as duplicates.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct MinhashDedup {
    /// Minimum similarity of duplicates, above 0 and at most 1.
    pub threshold: F64Bits,
    /// Whether a row is removed only for a kept row that was verified similar to it.
    pub linkage: Linkage,
    /// A row is compared with at most this many earlier rows per bucket.
    pub bucket_limit: u32,
}

/// How similar pairs lead to the removal of rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Linkage {
    /// A row is removed only if it was verified similar to a kept row.
    Direct,
    /// One row per connected component is kept, as other tools do. The reported similarity may then be below the threshold.
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
