//! Text files as a table: one row per file.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `path` | Utf8 | absolute path of a local file, URL of any other |
//! | `size` | Int64 | bytes of the file |
//! | `modified` | Timestamp(Microsecond, UTC) | time of the last change |
//! | `text` | Utf8 | the content, without a UTF-8 byte order mark |
//!
//! Text is UTF-8, or UTF-16 with a byte order mark. Files that contain a NUL byte (binary) or are not valid UTF-8 give no
//! rows: they are skipped and counted in the metrics of the scan (`files_skipped_binary`, `files_skipped_not_utf8`), and the
//! program reports their number. With the option `binary = 'error'`, the default for a file that is named by its path, such a
//! file is an error. A file is read even if `text` is not selected, so that a query has the same rows whatever columns it
//! selects. A condition on `path`, `size` or `modified`, however, excludes files without reading them. An unreadable file is
//! an error unless `skip_unreadable` is set.

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
