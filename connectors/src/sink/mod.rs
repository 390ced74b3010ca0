//! Results that appear whole or not at all.
//!
//! [`AtomicDir`] writes a stream of batches as a folder of files with a manifest; [`atomic_file`] writes one file;
//! [`StagedPath`] does the same for writers that know nothing of it.

mod atomic_file;
mod hashing;
mod lines;
mod manifest;
mod parquet;
mod rows;
mod staged_path;
mod staging;
#[cfg(test)]
mod tests;
mod write;

pub use atomic_file::atomic_file;
pub use manifest::{Column, MANIFEST, Manifest, Part, foreign_files};
pub use staged_path::{StagedPath, StagedWrite, remove_uncommitted};
pub use staging::{AtomicDir, Staging};
pub use write::WriteOptions;
