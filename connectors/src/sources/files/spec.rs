//! What a user says about a source.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::kind::Format;

/// Files that make one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSpec {
    /// Paths, folders or globs; each must match something, and all must be in one store.
    pub paths: Vec<String>,
    /// Globs of files to exclude. A glob that starts with `/`, `~/` or a scheme is matched against the whole path, any other
    /// against its end: `target/**` and `*.min.js` match in every folder. A glob that matches a folder excludes everything
    /// below.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// The format, overriding the extensions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Options of the format as in `CREATE EXTERNAL TABLE ... OPTIONS (...)`; the prefix `format.` may be omitted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// Names of the `key=value` folders that become columns; by default those that all files have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<Vec<String>>,
    /// Whether the columns `_file`, `_row` and `_row_id` follow those of the files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provenance: bool,
}

impl SourceSpec {
    /// A source of one pattern, everything else by default.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self { paths: vec![pattern.into()], ..Self::default() }
    }
}

/// Options as DataFusion's formats take them: each with the prefix `format.`.
pub(crate) fn prefixed(options: &BTreeMap<String, String>) -> HashMap<String, String> {
    let name = |key: &String| match key.contains('.') {
        true => key.to_lowercase(),
        false => format!("format.{}", key.to_lowercase()),
    };
    options.iter().map(|(key, value)| (name(key), value.clone())).collect()
}
