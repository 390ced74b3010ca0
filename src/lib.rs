//! limpid makes a training-data lake clear: SQL deduplication and curation on Apache DataFusion.
//!
//! [`recipes`] are the queries of the literature; [`session`] assembles the engine in one place; [`cli`] has one file per command;
//! [`jobs`] runs job files; [`selection`] chooses training rows; [`report`] draws what a job did; [`docs`] writes the SQL reference.

pub mod cli;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod docs;
pub mod jobs;
pub mod recipes;
pub mod report;
pub mod selection;
pub mod session;
