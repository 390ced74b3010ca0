//! A call as the name of a table, and back.

use datafusion::common::{Result, internal_datafusion_err};

use super::TableFunction;
use crate::url_table::SourceSpec;

/// Stands before the specification of files that are named by their path alone.
const FILES: &str = "files";

/// `read_csv {"paths":["x.csv"], ...}`.
pub(super) fn encode(function: Option<TableFunction>, spec: &SourceSpec) -> Result<String> {
    let spec = serde_json::to_string(spec).map_err(|e| internal_datafusion_err!("{e}"))?;
    Ok(format!("{} {spec}", function.map_or(FILES, TableFunction::name)))
}

/// What [`encode`] wrote.
pub(super) fn decode(name: &str) -> Option<(Option<TableFunction>, SourceSpec)> {
    let (called, spec) = name.split_once(' ')?;
    let function = match TableFunction::of_name(called) {
        None if called != FILES => return None,
        function => function,
    };
    Some((function, serde_json::from_str(spec).ok()?))
}
