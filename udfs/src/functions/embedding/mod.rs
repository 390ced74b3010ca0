//! Encoders in SQL.
//!
//! These are plain functions and not asynchronous ones: DataFusion runs the latter only in projections, filters and the
//! arguments of aggregates. A thread of the query waits while the model's own threads work, and tells the runtime that it
//! waits; so they work in joins, sorts and groups too, and within one another.

pub(crate) mod arguments;
pub(crate) mod cache;
pub mod embed_image;
pub mod embed_text;
pub(crate) mod embedder;
pub mod token_nll;
