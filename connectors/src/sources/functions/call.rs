//! Encodes a call as the name of a table, and decodes it.

use datafusion::common::{Result, internal_datafusion_err};

use super::of_name;
use crate::sources::files::SourceSpec;
use crate::sources::function::TableFunction;

/// Prefix of the specification of files named by path alone.
const FILES: &str = "files";

/// Prefix of the name if the column `filename` is wanted.
const WITH_FILENAME: &str = "filename ";

/// What a name says.
pub(super) struct Call {
    pub(super) function: Option<TableFunction>,
    pub(super) spec: SourceSpec,
    /// Whether the column `filename` is wanted.
    pub(super) filename: bool,
}

/// `read_csv {"paths":["x.csv"], ...}`.
pub(super) fn encode(function: Option<TableFunction>, spec: &SourceSpec, filename: bool) -> Result<String> {
    let spec = serde_json::to_string(spec).map_err(|e| internal_datafusion_err!("{e}"))?;
    let wish = if filename { WITH_FILENAME } else { "" };
    Ok(format!("{wish}{} {spec}", function.map_or(FILES, |function| function.name)))
}

/// Decodes what [`encode`] wrote; `None` for other names.
pub(super) fn decode(name: &str) -> Option<Call> {
    let (filename, name) = match name.strip_prefix(WITH_FILENAME) {
        Some(rest) => (true, rest),
        None => (false, name),
    };
    let (called, spec) = name.split_once(' ')?;
    let function = match of_name(called) {
        None if called != FILES => return None,
        function => function,
    };
    Some(Call { function, spec: serde_json::from_str(spec).ok()?, filename })
}
