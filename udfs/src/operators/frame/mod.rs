//! The frame of the relation operators.
//!
//! An operator implements [`RelationOperator`] and, if SQL can call it, [`SqlOperator`]. One line in the list of all
//! operators names it. The frame plans it, runs it, serializes it for a cluster and shows it in EXPLAIN. The frame itself
//! knows no operator.

pub mod args;
pub mod argument;
pub mod codec;
pub mod context;
pub mod documentation;
pub mod exec;
mod explain;
pub mod list;
pub mod materialize;
pub mod node;
pub mod number;
pub mod operator;
pub mod planner;
#[cfg(test)]
mod tests;
pub mod values;
pub mod written;

pub use context::{OperatorContext, Whole, Work};
pub use number::F64Bits;
pub use operator::{Input, Output, RelationOperator, Stage};
