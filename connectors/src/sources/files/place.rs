//! File locations as users write them.

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::execution::object_store::ObjectStoreUrl;
use object_store::path::Path as ObjectPath;

/// A file as its user would write it: an absolute path, or the URL in another store.
pub(crate) fn display_path(store: &ObjectStoreUrl, location: &ObjectPath) -> String {
    match store.as_str() {
        "file:///" => format!("/{location}"),
        url => format!("{url}{location}"),
    }
}

/// Whether a name that is not a table looks like a path.
pub(crate) fn looks_like_path(name: &str) -> bool {
    name.contains(['/', '.', '*', '?']) || name.starts_with('~')
}

/// The columns that are known before a file is opened: `path`, `size` and `modified`.
pub(crate) fn file_columns() -> [Field; 3] {
    [
        Field::new("path", DataType::Utf8, false),
        Field::new("size", DataType::Int64, false),
        Field::new("modified", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
    ]
}

/// Provenance columns: path of the file as in messages, number of the row in its file from 0, and both as one text with `#`
/// in between.
pub const PROVENANCE: [&str; 3] = ["_file", "_row", "_row_id"];
