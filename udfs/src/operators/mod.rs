//! Relation operators: a relation in, relation out. One folder each.

pub mod analysis;
pub mod args;
pub mod connected_components;
pub mod dedup;
pub mod docs;
pub mod exact_dedup;
pub mod fit_softmax;
pub mod graph_filter;
pub mod influence;
pub mod minhash_dedup;
pub mod multilinear_importance;
pub mod planner;
