//! `minhash_dedup`: rows whose texts share most of their shingles.
//!
//! MinHash and LSH banding (Broder 1997; Leskovec, Rajaraman, Ullman, *Mining of Massive Datasets*, chapter 3) propose
//! pairs; the exact Jaccard similarity of the shingle sets decides.

pub mod buckets;
pub mod component;
pub mod exec;
pub mod matcher;
pub mod plan;
pub mod seen;
pub mod sets;
pub mod sketch;
