//! SQL functions, one file each. A file holds the documentation, the signature and the batch loop; the mathematics
//! is in [`crate::kernels`].

pub mod checks;
mod compiled;
pub mod embedding;
pub mod hash;
pub mod json;
pub mod literals;
pub mod quality;
pub mod sampling;
pub mod scores;
pub mod sketch;
pub mod strings;
pub mod text;
pub mod vector;
