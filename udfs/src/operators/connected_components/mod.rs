//! `connected_components`: names the component of every edge.

pub mod exec;
pub mod node;
pub mod plan;
