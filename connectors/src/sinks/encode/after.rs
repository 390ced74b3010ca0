//! What happens between lines.

use datafusion::common::Result;

/// Called after each line with the bytes that were not taken yet.
pub type After<'a> = dyn FnMut(&mut Vec<u8>) -> Result<()> + 'a;
