//! SQL functions, one per file. A file holds documentation, signature and batch loop; the algorithm is in [`crate::kernels`].

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
