//! Limits on the size of batches.

use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryLimit;

/// Smallest and largest target size of a batch, in bytes.
const BATCH_BYTES: (usize, usize) = (1 << 16, 1 << 22);

/// Maximum size of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Maximum number of rows.
    pub rows: usize,
    /// Maximum number of bytes, unless a single row has more.
    pub bytes: usize,
}

impl BatchLimits {
    /// The session's batch size in rows, and a small share of the memory in bytes.
    pub fn of(context: &TaskContext) -> Self {
        let bytes = match context.memory_pool().memory_limit() {
            MemoryLimit::Finite(bytes) => (bytes / 512).clamp(BATCH_BYTES.0, BATCH_BYTES.1),
            _ => BATCH_BYTES.1,
        };
        Self { rows: context.session_config().batch_size().max(1), bytes }
    }
}
