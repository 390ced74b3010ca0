//! Tables read once: sorted row hashes, fingerprints, samples.

pub mod hashes;
pub mod least;
pub mod read;
pub mod scan;
pub mod sketch;
pub mod values;

pub use hashes::RowHashes;
pub use read::{Cells, ReadPlan, Reader, TableRows};
