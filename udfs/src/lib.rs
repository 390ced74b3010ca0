//! The functions and operators that limpid adds to SQL.
//!
//! Dependencies point one way: [`kernels`] (algorithms on slices and numbers) <- [`functions`] (wrappers for Arrow and SQL)
//! <- [`operators`] (relation in, relation out). [`register`] is the only place that lists them all.

pub mod checked;
pub mod config;
pub mod functions;
pub mod kernels;
pub mod operators;
pub mod register;
pub mod storage;
