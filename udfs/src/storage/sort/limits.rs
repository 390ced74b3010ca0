//! How large batches may be.

use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryLimit;

/// The largest and the smallest batch that is aimed at, in bytes.
const BATCH_BYTES: (usize, usize) = (1 << 16, 1 << 22);

/// How large a batch may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Rows.
    pub rows: usize,
    /// Bytes; one row may have more.
    pub bytes: usize,
}

impl BatchLimits {
    /// As many rows as the session wants, and a small share of the memory.
    pub fn of(context: &TaskContext) -> Self {
        let bytes = match context.memory_pool().memory_limit() {
            MemoryLimit::Finite(bytes) => (bytes / 512).clamp(BATCH_BYTES.0, BATCH_BYTES.1),
            _ => BATCH_BYTES.1,
        };
        Self { rows: context.session_config().batch_size().max(1), bytes }
    }
}
