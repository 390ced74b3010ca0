//! How the operators travel over a cluster: codecs that wrap another codec and add our nodes.
//!
//! A message begins with one byte: [`OPERATOR`], [`MATERIALIZE`] or [`OTHERS`]. That of an operator holds its name, its parameters as
//! serde writes them, and its columns.

mod logical;
mod messages;
mod physical;
#[cfg(test)]
mod tests;

pub use logical::OperatorLogicalCodec;
pub use physical::OperatorPhysicalCodec;

/// First byte of a node of the wrapped codec.
const OTHERS: u8 = 0;
/// First byte of an operator.
const OPERATOR: u8 = 1;
/// First byte of a relation that is kept; it has no parameters.
const MATERIALIZE: u8 = 2;
