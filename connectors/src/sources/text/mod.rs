//! Text files as a table: one row a file.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `path` | Utf8 | absolute path of a local file, URL of any other |
//! | `size` | Int64 | bytes of the file |
//! | `modified` | Timestamp(Microsecond, UTC) | time of the last change |
//! | `text` | Utf8 | the content, without a UTF-8 byte order mark |
//!
//! Text is UTF-8, or UTF-16 with a byte order mark. Files that hold a NUL byte (binary) or are not valid UTF-8 are no rows: they
//! are skipped, counted in the metrics of the scan (`files_skipped_binary`, `files_skipped_not_utf8`); the program tells their
//! number. With the option `binary = 'error'`, the default for a file that is named by its path, such a file is an error. So that a query has the same rows
//! whatever columns it selects, a file is read even when `text` is not selected; a condition on `path`, `size` or `modified`
//! on the other hand keeps files from being read at all. An unreadable file is an error unless `skip_unreadable` is set.

mod columns;
mod external;
mod files;
mod format;
mod function;
mod options;
mod reader;
mod schema;
mod source;
#[cfg(test)]
mod tests;

pub use files::Text;
pub use format::{TextFormat, TextFormatFactory};
pub use options::TextOptions;
pub use schema::{TEXT, schema};
pub use source::TextSource;
