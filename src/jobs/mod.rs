//! Jobs: a YAML file of sources, steps, checks and a sink, which is run to a committed result.
//!
//! [`model`] is the file as written. [`job`] is the job with its variables, rules and recipes resolved to SQL. [`plan`]
//! validates every statement before anything runs. [`run`] computes the unfinished steps, each into a folder whose
//! [`manifest`] is written last, and commits the [`sink`]. [`flow`] determines which steps pass their rows directly to the
//! next one ([`tap`]). [`summary`] turns the manifests into the report. [`explain`] says what happened to one row.

pub mod check;
pub mod clusters;
pub mod concepts;
pub mod condition;
pub mod counts;
pub mod describe;
pub mod error;
pub mod explain;
pub mod flow;
pub mod hash;
pub mod histogram;
pub mod job;
pub mod lock;
pub mod manifest;
pub mod model;
pub mod origins;
pub mod output;
pub mod own_time;
pub mod plan;
pub mod progress;
pub mod recipes;
pub mod reference;
mod rejects;
pub mod run;
pub mod samples;
pub mod sink;
pub mod source;
pub mod split;
pub mod step;
pub mod summary;
pub mod tables;
pub mod tap;
pub mod variables;
pub mod writer;
pub mod yaml;

pub use error::{JobError, Result};
