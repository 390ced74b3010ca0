//! What text files are called, and their columns.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::sources::files::place::file_columns;
use crate::sources::files::{Format, FormatInfo};

/// Text: what no other format takes.
pub const TEXT: Format = Format::new(&FormatInfo {
    name: "TEXT",
    words: &["text"],
    endings: &[],
    compressed: false,
    signature: None,
    looks_like: None,
});

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = Field::new("text", DataType::Utf8, false);
    Arc::new(Schema::new(file_columns().into_iter().chain([text]).collect::<Vec<_>>()))
});

/// Columns of every TEXT table, before partition columns.
pub fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}
