//! Relation operators: a relation in, the same rows with more columns out. One folder each.

pub mod args;
pub mod connected_components;
pub mod dedup;
pub mod docs;
pub mod exact_dedup;
pub mod minhash_dedup;
pub mod planner;
