//! Vectors of 32-bit floats: every sum is taken in 64 bits and in one fixed order, so that a result depends on the values
//! alone and never on batches, threads, partitions or the machine.

pub mod arithmetic;
pub mod bytes;
pub mod code_scores;
pub mod codes;
pub mod exact_sum;
pub mod gaussian;
pub mod nearest;
mod panels;
pub mod plane;
pub mod products;
pub mod projection;
pub mod proposals;
pub mod search;
