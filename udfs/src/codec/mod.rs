//! How the operators travel over a cluster: codecs that wrap another codec and add our nodes.
//!
//! A message begins with one byte: [`OURS`] or [`OTHERS`]. Each message lists every field of its node; building it
//! takes the node apart without `..`, so that a new field does not compile until it travels too.

mod calls;
mod logical;
mod messages;
mod physical;
#[cfg(test)]
mod tests;

pub use logical::OperatorLogicalCodec;
pub use physical::OperatorPhysicalCodec;

/// First byte of a node of ours.
const OURS: u8 = 1;
/// First byte of a node of the wrapped codec.
const OTHERS: u8 = 0;
