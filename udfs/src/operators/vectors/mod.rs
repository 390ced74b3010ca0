//! Shared by the vector operators: stored rows and their int8 codes.

pub mod codes;
pub mod plan;
pub mod table;
