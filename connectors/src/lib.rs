//! Lakes, formats and sinks: one folder per kind.
//!
//! [`text`] reads a folder of text files as a table, [`url_table`] makes `FROM 'path/**/*.parquet'` work and resolves the
//! sources of jobs, [`float_bounds`] keeps scans from losing NaN, [`sink`] writes results that appear whole or not at all.

use datafusion::common::Result;
use datafusion::execution::session_state::SessionState;

pub mod float_bounds;
pub mod sink;
#[cfg(test)]
mod testing;
pub mod text;
pub mod url_table;

/// Registers the formats (`STORED AS TEXT`, and the `.jsonl` and `.ndjson` names of JSON) in a session state.
///
/// # Errors
/// When DataFusion refuses a format.
pub fn register_formats(state: &mut SessionState) -> Result<()> {
    text::register(state)?;
    url_table::register_formats(state)
}
