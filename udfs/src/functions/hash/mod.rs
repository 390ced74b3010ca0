//! Hash functions.

pub mod xxh3_128;
pub mod xxh3_64;
