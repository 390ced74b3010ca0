//! Integration tests, one binary so that the engine is linked once.

mod docs;
mod cli;
mod operators;
mod slt;
