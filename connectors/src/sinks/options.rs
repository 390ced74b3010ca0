//! How a result is written, and what writes it.

use arrow::array::RecordBatch;
use datafusion::common::Result;

use super::encode::{WriteFormat, WriteKind};
use super::manifest::Part;

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteOptions {
    /// Format of the files.
    pub format: WriteKind,
    /// Once a file has this many bytes, the next one is started.
    pub target_file_bytes: u64,
    /// A row group (Parquet) ends when its values have this many bytes, or at 131,072 rows.
    pub row_group_bytes: usize,
    /// Number of row groups encoded concurrently. It costs memory but does not change the result.
    pub concurrency: usize,
}

impl Default for WriteOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            format: WriteKind::plain(WriteFormat::Parquet),
            target_file_bytes: 256 << 20,
            row_group_bytes: 32 << 20,
            concurrency: cores.min(4),
        }
    }
}

/// Writes chunks of rows to files.
pub(super) trait PartsWriter: Send + Sized {
    fn write(self, chunk: RecordBatch) -> impl Future<Output = Result<Self>> + Send;
    fn finish(self) -> impl Future<Output = Result<Vec<Part>>> + Send;
}
