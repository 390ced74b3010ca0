//! A relation that is computed once and kept, for all the places of a plan that read it.

pub mod exec;
pub mod node;
