//! Integration tests, one binary so that the engine is linked once.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod claims;
mod clauses;
mod cli;
#[cfg(feature = "cluster")]
mod cluster;
mod concepts;
mod docs;
mod durability;
mod embed;
mod everywhere;
mod hard_inputs;
mod jobs;
mod lake;
mod languages;
mod materialize;
mod memory;
mod nan;
mod operators;
mod properties;
mod recipe_chains;
mod recipe_table;
mod recipes;
mod recipes_curation;
mod recipes_scores;
mod scores;
mod slt;
mod vectors;
mod wrong_arguments;
