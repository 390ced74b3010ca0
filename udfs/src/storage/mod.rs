//! Storage for operators: always within the memory pool, spilling to disk beyond it.
//!
//! * [`batches::BatchStore`]: record batches, read back in order;
//! * [`blobs::BlobWriter`]: byte strings, read back at random;
//! * [`compact`]: rows without memory shared with others;
//! * [`numbers::Numbers`]: a few bytes per row, read and changed at random;
//! * [`records::RecordSorter`]: fixed-size records, read back sorted;
//! * [`sort`]: batches, sorted and merged;
//! * [`vectors::VectorStore`]: vectors, read back in blocks.

pub mod batches;
pub mod blobs;
pub mod compact;
pub mod numbers;
pub mod records;
pub mod sort;
pub mod vectors;
