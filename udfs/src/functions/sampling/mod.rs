//! Deterministic random choice: a hash of a seed and a row's key stands for the dice, so that the same rows are chosen
//! whatever their order, partition or machine.

pub mod hash_uniform;
pub(crate) mod priority;
pub mod sample_key;
