//! The tables of a lake, and proven containments between them.
//!
//! [`kernels`] are algorithms on slices and numbers, [`cells`] encodes Arrow columns in canonical form, and [`functions`] are
//! scalar SQL functions on top. [`lake`] finds tables and merges their footers. [`graph`] compares schemas and bounds without
//! reading data. [`rows`] reads each table once into sorted row hashes and samples. [`verify`] decides. [`pipeline`] combines
//! the stages into an [`outcome`]. [`retention`] weighs keeping against rebuilding. [`retire`] sets tables aside and restores
//! them. [`state`] keeps results for the next run. [`sql`] offers everything in SQL.

pub mod cells;
pub mod demo;
pub mod functions;
pub mod graph;
pub mod kernels;
pub mod lake;
pub mod options;
pub mod outcome;
pub mod pipeline;
pub mod retention;
pub mod retire;
pub mod rows;
pub mod sql;
pub mod state;
pub mod threads;
pub mod verify;
mod whole;

pub use retire::dependents::discover;
