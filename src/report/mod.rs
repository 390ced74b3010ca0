//! Reports of a job: plots, tables and samples in one self-contained page.

pub mod data;
