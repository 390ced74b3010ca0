//! Tables from paths: `FROM 'lake/**/*.parquet'`, the sources of jobs, `STORED AS TEXT`.
//!
//! A pattern is a path, a folder or a glob, local (absolute, relative, `~/...`, `file://...`) or in a registered object store
//! (`s3://bucket/...`). `*` and `?` match within a name, `**` any folders, `[a-z]` a class, `{a,b}` alternatives; a local path
//! that exists as written is taken literally. Wildcards do not match names that begin with a dot unless a part of the pattern
//! does; a folder stands for all files below it except names that begin with `.` or `_`. Symbolic links are followed, but a
//! file that is reached under several names is read once, and a link to a folder above it is not followed.
//!
//! The extension decides the format ([`Format`]); all files of a table must have the same one. Files are in the order of their
//! paths. A pattern that matches nothing is an error. `key=value` folders below the fixed part of a pattern become columns.

mod catalog;
mod content;
mod external;
mod foreign;
mod groups;
mod kind;
mod links;
mod listing;
mod parquet;
mod partitions;
mod pattern;
mod provenance;
mod spec;
mod table;
#[cfg(test)]
mod tests;

use datafusion::common::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::session_state::SessionState;
use object_store::path::Path as ObjectPath;

pub use catalog::enable_paths;
pub(crate) use catalog::looks_like_path;
pub(crate) use content::Content;
pub(crate) use external::TextTableFactory;
pub use foreign::{Foreign, foreign_roots};
pub(crate) use groups::balanced_groups;
pub use kind::{Compression, FileKind, Format};
pub use links::Alias;
pub use listing::{Listing, SourceFile, list};
pub use provenance::PROVENANCE;
pub use spec::SourceSpec;
pub use table::{FilesTable, FilesTableParts, table};

/// Registers the table factories of `STORED AS CSV`, `TSV` and `JSON`.
pub(crate) fn register_formats(state: &mut SessionState) -> Result<()> {
    external::register(state)
}

/// A file as its user would write it: an absolute path, or the URL in another store.
pub(crate) fn display_path(store: &ObjectStoreUrl, location: &ObjectPath) -> String {
    match store.as_str() {
        "file:///" => format!("/{location}"),
        url => format!("{url}{location}"),
    }
}
