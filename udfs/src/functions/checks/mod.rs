//! What must hold of rows, said where it matters.

pub mod require;
