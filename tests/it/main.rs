//! Integration tests, one binary so that the engine is linked once.

mod cli;
mod docs;
mod jobs;
mod operators;
mod slt;
