//! Everything SQL gains in limpid.
//!
//! Dependencies point one way: [`kernels`] (pure slices in, numbers out) <- [`functions`] (Arrow and SQL shells)
//! <- [`operators`] (relation in, relation out). [`register`] is the only place that lists them.

pub mod checked;
pub mod config;
pub mod functions;
pub mod kernels;
pub mod operators;
pub mod register;
pub mod storage;
