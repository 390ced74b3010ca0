//! `exact_dedup`: rows whose text is equal, byte for byte.

pub mod matcher;
pub mod plan;
