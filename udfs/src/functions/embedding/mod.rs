//! Encoder functions of SQL.
//!
//! They are ordinary functions rather than asynchronous ones, because DataFusion runs asynchronous functions only in
//! projections, filters and arguments of aggregates. A query thread blocks while the model's own threads work, and tells the
//! runtime that it blocks. The functions therefore work in joins, sorts and groups too, and nested in one another.

pub(crate) mod arguments;
pub(crate) mod cache;
pub mod embed_image;
pub mod embed_text;
pub(crate) mod embedder;
pub mod token_nll;
