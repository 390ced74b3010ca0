//! Serialization of operators for a cluster. The codecs wrap another codec and add the nodes of operators.
//!
//! A message starts with one byte: [`OPERATOR`], [`MATERIALIZE`] or [`OTHERS`]. The message of an operator holds its name,
//! its parameters as serde writes them, and its columns.

mod logical;
mod messages;
mod physical;
#[cfg(test)]
mod tests;

pub use logical::OperatorLogicalCodec;
pub use physical::OperatorPhysicalCodec;

/// First byte of a node that the wrapped codec handles.
const OTHERS: u8 = 0;
/// First byte of an operator.
const OPERATOR: u8 = 1;
/// First byte of a materialized relation, which has no parameters.
const MATERIALIZE: u8 = 2;
