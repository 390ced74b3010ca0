//! A hook between lines.

use datafusion::common::Result;

/// Called after each line with the bytes that have not been taken yet.
pub type After<'a> = dyn FnMut(&mut Vec<u8>) -> Result<()> + 'a;
