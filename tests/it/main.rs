//! Integration tests, one binary so that the engine is linked once.

mod cli;
mod docs;
mod hard_inputs;
mod jobs;
mod operators;
mod slt;
