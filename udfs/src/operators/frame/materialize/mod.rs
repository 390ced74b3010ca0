//! Materialization: a relation is computed once and kept for all places in a plan that read it.

pub mod exec;
pub mod node;
