//! `materialize`: a relation that is computed once and kept, however often a query names it.
//!
//! DataFusion writes a CTE out wherever it is named: a query that trains a network in a CTE and names it three times would train three
//! networks.

pub mod list;
pub mod plan;
pub mod read;
mod reference;
pub mod share;
