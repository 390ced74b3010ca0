//! Vectors of 32-bit floats. Every sum is computed in 64 bits and in a fixed order, so results depend on the values alone and
//! never on batches, threads, partitions or the machine.

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
