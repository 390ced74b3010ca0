//! Sketches: small summaries of texts from which similarities are estimated.

pub mod hamming_distance;
pub mod lsh_bands;
pub mod minhash;
pub mod minhash_jaccard;
mod signatures;
pub mod simhash;
