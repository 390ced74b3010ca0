//! The tables of a lake: what they are, which are contained in which, proved.
//!
//! [`kernels`] are algorithms on slices and numbers, [`cells`] puts Arrow columns into their canonical form, [`functions`] are the
//! scalar SQL functions on top. [`lake`] finds tables and folds their footers; [`graph`] compares schemas and bounds without
//! reading data; [`rows`] reads each table once into sorted row hashes and samples; [`verify`] decides; [`pipeline`] puts the
//! stages together into an [`outcome`]; [`retention`] weighs keeping against rebuilding; [`retire`] sets tables aside and brings them back; [`state`]
//! keeps what was learnt for the next time; [`sql`] gives all that to SQL.

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
