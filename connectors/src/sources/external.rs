//! What `CREATE EXTERNAL TABLE` says of files.

use std::collections::BTreeMap;

use datafusion::logical_expr::CreateExternalTable;

use super::files::{Format, SourceSpec};

/// The source that a statement names; `format` is what its files are read as.
pub(crate) fn spec(cmd: &CreateExternalTable, format: Option<Format>) -> SourceSpec {
    let is_provenance = |key: &str| key.trim_start_matches("format.").eq_ignore_ascii_case("provenance");
    let (provenance, options) =
        cmd.options.clone().into_iter().partition::<BTreeMap<_, _>, _>(|(key, _)| is_provenance(key));
    SourceSpec {
        paths: cmd.locations.clone(),
        format,
        options,
        provenance: provenance.values().any(|value| value.eq_ignore_ascii_case("true")),
        partitions: (!cmd.table_partition_cols.is_empty()).then(|| cmd.table_partition_cols.clone()),
        ..SourceSpec::default()
    }
}
