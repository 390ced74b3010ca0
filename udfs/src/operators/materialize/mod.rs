//! `materialize`: computes a relation once and keeps it, however often a query names it.
//!
//! DataFusion inlines a CTE wherever it is named. A query that trains a network in a CTE and names the CTE three times would
//! train three networks.

pub mod list;
pub mod plan;
pub mod read;
mod reference;
pub mod share;
