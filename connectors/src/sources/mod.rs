//! Tables from paths: `FROM 'lake/**/*.parquet'`, the sources of jobs, `STORED AS TEXT`.
//!
//! A pattern is a path, a folder or a glob, local (absolute, relative, `~/...`, `file://...`) or in a registered object store
//! (`s3://bucket/...`). `*` and `?` match within a name, `**` any folders, `[a-z]` a class, `{a,b}` alternatives; a local path
//! that exists as written is taken literally. Wildcards do not match names that begin with a dot unless a part of the pattern
//! does; a folder stands for all files below it except names that begin with `.` or `_`. Symbolic links are followed, but a
//! file that is reached under several names is read once, and a link to a folder above it is not followed.
//!
//! The extension decides the format ([`FORMATS`]); all files of a table must have the same one. Files are in the order of their
//! paths. A pattern that matches nothing is an error. `key=value` folders below the fixed part of a pattern become columns.
//!
//! [`files`] finds files and knows no format; [`format`] is what a format must say of itself and [`table`] the table that it becomes
//! part of; each format has a folder; [`functions`] are `read_csv(...)` and its like.

mod catalog;
mod external;
pub mod files;
pub mod format;
mod formats;
pub mod function;
pub mod functions;
pub mod parquet;
pub mod provenance;
pub mod records;
mod settle;
pub mod table;
#[cfg(test)]
mod tests;
pub mod text;

pub use crate::compression::Compression;
pub use catalog::enable_paths;
pub use files::{Alias, FileKind, Format, Listing, PROVENANCE, SourceFile, SourceSpec, list};
pub(crate) use formats::register;
pub use formats::{FORMATS, table};
pub use parquet::foreign::{Foreign, foreign_roots};
pub use table::{FilesTable, FilesTableParts};
