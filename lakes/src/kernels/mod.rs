//! Algorithms for comparing whole tables: canonical values, additive row hashes, set and multiset containment of sorted
//! hashes, two-sided range search and exact binomial intervals.

pub mod binomial;
pub mod canonical;
pub mod facility;
pub mod ranges;
pub mod row_hash;
pub mod schemas;
pub mod sorted;
pub mod written;
