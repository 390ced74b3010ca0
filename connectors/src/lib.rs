//! Lakes, formats and sinks: one folder per kind.
//!
//! [`records`] reads CSV and JSON files and [`text`] folders of text files; [`url_table`] makes `FROM 'path/**/*.parquet'` work and
//! resolves the sources of jobs, and [`table_functions`] are `read_csv('path', option => value)` and its like. [`encode`] says
//! what is in a file that limpid writes, and [`sink`] makes results appear whole or not at all. [`float_bounds`] keeps scans from
//! losing NaN, [`late_columns`] reads the wide columns of the first rows alone, [`parquet_files`] reads Parquet as the world writes it, [`file_order`] numbers rows as they are in the files.

use datafusion::common::Result;
use datafusion::execution::session_state::SessionState;

pub mod encode;
pub mod file_order;
pub mod float_bounds;
pub mod late_columns;
pub mod literals;
pub mod parquet_files;
pub mod records;
pub mod row_filters;
pub mod sink;
pub mod table_functions;
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
    url_table::register_formats(state)?;
    encode::register(state)
}
