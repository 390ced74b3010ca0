//! The formats of records.

use crate::sources::files::{Content, Format, FormatInfo};

/// JSON: one object per line, objects over several lines, or arrays of objects.
pub const JSON: Format = Format::new(&FormatInfo {
    name: "JSON",
    words: &["json", "jsonl", "ndjson"],
    endings: &["json", "jsonl", "ndjson", "jl"],
    compressed: true,
    signature: None,
    looks_like: Some(Content::Json),
});

/// CSV.
pub const CSV: Format = Format::new(&FormatInfo {
    name: "CSV",
    words: &["csv"],
    endings: &["csv"],
    compressed: true,
    signature: None,
    looks_like: None,
});

/// CSV with tabs.
pub const TSV: Format = Format::new(&FormatInfo {
    name: "TSV",
    words: &["tsv"],
    endings: &["tsv", "tab"],
    compressed: true,
    signature: None,
    looks_like: None,
});
