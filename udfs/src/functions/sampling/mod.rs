//! Deterministic sampling: a hash of the seed and the row's key replaces random draws, so the same rows are chosen whatever
//! their order, partition or machine.

pub mod hash_uniform;
pub(crate) mod priority;
pub mod sample_key;
