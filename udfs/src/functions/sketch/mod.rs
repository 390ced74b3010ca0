//! Sketches: small summaries of texts that estimate how alike they are.

pub mod hamming_distance;
pub mod lsh_bands;
pub mod minhash;
pub mod minhash_jaccard;
mod signatures;
pub mod simhash;
