//! Content hashes.

pub mod xxh3_64;
