//! The shape of the code: who may use whom, how long files are, and what must not come back.
//!
//! Each rule has a list of known exceptions in `known/*.txt`. A list can only shrink: a test fails for a new exception and for a
//! listed one that is gone. `UPDATE_ARCHITECTURE=1 cargo test --test architecture` takes out the lines that are gone; it adds none.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod graph;
mod known;
mod layers;
mod modules;
mod patterns;
mod registers;
mod resolve;
mod sizes;
mod source;

use std::path::Path;

/// The folder of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the repository.
fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
