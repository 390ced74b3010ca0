//! The table of rejected records.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;

use super::options::text_type;

/// Bytes of a record that are shown.
const SHOWN: usize = 1 << 10;

/// The columns `file`, `line` from 1, `byte` from 0 (both of the decompressed text), `reason`, and `raw`: the record,
/// truncated after 1,024 bytes, with bytes that are not UTF-8 as `\xFF`.
pub(super) fn schema(views: bool) -> SchemaRef {
    let text = || text_type(views);
    Arc::new(Schema::new(vec![
        Field::new("file", text(), false),
        Field::new("line", DataType::Int64, false),
        Field::new("byte", DataType::Int64, false),
        Field::new("reason", text(), false),
        Field::new("raw", text(), false),
    ]))
}

/// Rejected records of a batch.
#[derive(Debug, Default)]
pub(super) struct Rejects {
    lines: Vec<i64>,
    bytes: Vec<i64>,
    reasons: Vec<String>,
    raws: Vec<String>,
}

impl Rejects {
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn push(&mut self, line: u64, byte: u64, reason: String, raw: &[u8]) {
        self.lines.push(i64::try_from(line).unwrap_or(i64::MAX));
        self.bytes.push(i64::try_from(byte).unwrap_or(i64::MAX));
        self.reasons.push(reason);
        self.raws.push(escaped(raw));
    }

    /// Columns of [`schema`], and an empty table again.
    pub(super) fn finish(&mut self, file: &str, views: bool) -> Result<Vec<ArrayRef>> {
        let taken = std::mem::take(self);
        let text = |values: Vec<String>| cast(&StringArray::from(values), &text_type(views));
        Ok(vec![
            text(vec![file.to_owned(); taken.lines.len()])?,
            Arc::new(Int64Array::from(taken.lines)),
            Arc::new(Int64Array::from(taken.bytes)),
            text(taken.reasons)?,
            text(taken.raws)?,
        ])
    }
}

fn escaped(raw: &[u8]) -> String {
    let mut out = String::new();
    let mut rest = raw.get(..SHOWN).unwrap_or(raw);
    let cut = rest.len() < raw.len();
    loop {
        match std::str::from_utf8(rest) {
            Ok(text) => {
                out.push_str(text);
                return out;
            }
            Err(e) => {
                let (good, bad) = rest.split_at(e.valid_up_to());
                out.push_str(std::str::from_utf8(good).unwrap_or_default());
                let Some(length) = e.error_len() else {
                    // A character cut here is not an error.
                    if !cut {
                        bad.iter().for_each(|byte| out.push_str(&format!("\\x{byte:02X}")));
                    }
                    return out;
                };
                let (bad, after) = bad.split_at(length);
                bad.iter().for_each(|byte| out.push_str(&format!("\\x{byte:02X}")));
                rest = after;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_records_are_shown_as_text() {
        assert_eq!(escaped(b"caf\xe9 x"), "caf\\xE9 x");
        assert_eq!(escaped("é".repeat(600).as_bytes()), "é".repeat(512));
        assert_eq!(escaped(format!("x{}", "é".repeat(600)).as_bytes()).len(), 1023);
        assert_eq!(escaped(b"\xf0\x9f"), "\\xF0\\x9F");
    }
}
