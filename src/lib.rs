//! limpid makes a training-data lake clear: SQL deduplication and curation on Apache DataFusion.
//!
//! [`session`] assembles the engine in one place; [`cli`] has one file per command; [`jobs`] runs job files;
//! [`report`] draws what a job did.

pub mod cli;
pub mod jobs;
pub mod report;
pub mod session;
