//! What operators keep while they work: always within the memory pool, on disk beyond it.
//!
//! * [`batches::BatchStore`]: record batches, read back in order;
//! * [`blobs::BlobWriter`]: byte strings, read back at random;
//! * [`records::RecordSorter`]: fixed-size records, read back sorted;
//! * [`vectors::VectorStore`]: vectors, read back in blocks.

pub mod batches;
pub mod blobs;
pub mod records;
pub mod vectors;
