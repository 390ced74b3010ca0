//! Lakes, formats and sinks: one folder per kind.
//!
//! [`sources`] makes files tables: `FROM 'path/**/*.parquet'`, `read_csv('path', option => value)`, the sources of jobs.
//! [`sinks`] makes results appear whole or not at all, and [`sinks::encode`] says what is in their files. [`float_bounds`] keeps scans from
//! losing NaN, [`late_columns`] reads the wide columns of the first rows alone, [`file_order`] numbers rows as they are in the files.

use datafusion::common::Result;
use datafusion::execution::session_state::SessionState;

mod compression;
pub mod file_order;
pub mod float_bounds;
pub mod late_columns;
pub mod literals;
pub mod row_filters;
pub mod sinks;
pub mod sources;
#[cfg(test)]
mod testing;

/// Registers the formats (`STORED AS TEXT`, and the `.jsonl` and `.ndjson` names of JSON) in a session state.
///
/// # Errors
/// When DataFusion refuses a format.
pub fn register_formats(state: &mut SessionState) -> Result<()> {
    sources::register(state)?;
    sinks::encode::register(state)
}
