//! Results that appear whole or not at all.
//!
//! [`AtomicDir`] writes a stream of batches as a folder of files with a manifest. `limpid_io` does the rest.

mod atomic_dir;
pub mod encode;
mod hashing;
mod lines;
mod manifest;
mod options;
mod parquet;
mod rows;
#[cfg(test)]
mod tests;
mod write;

pub use atomic_dir::AtomicDir;
pub use manifest::{Column, MANIFEST, Manifest, Part, foreign_files};
pub use options::WriteOptions;
