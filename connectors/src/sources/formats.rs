//! The list of formats.

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::session_state::SessionState;
use serde::{Deserialize, Deserializer};

use super::files::{Format, SourceSpec, list};
use super::format::{Formats, Opening};
use super::settle::settle;
use super::table::{FilesTable, open};
use super::{parquet, records, text};

/// All formats. To add one, create a folder and add a line here. Text comes last, because it takes files that no other format
/// does.
pub static FORMATS: Formats = Formats(&[&parquet::Parquet, &records::Json, &records::Csv, &records::Tsv, &text::Text]);

/// Finds the files of `spec`, determines their format and infers their columns.
///
/// # Errors
/// Those of [`list`]; files have several formats; a file cannot be read in its format; columns are incompatible.
pub async fn table(state: &dyn Session, spec: &SourceSpec) -> Result<Arc<FilesTable>> {
    let listing = &list(state, spec).await?;
    let (kind, all_named) = settle(FORMATS, state, listing, spec).await?;
    let source =
        FORMATS.source(kind.format).ok_or_else(|| internal_datafusion_err!("nothing reads {}", kind.format))?;
    open(state, source, Opening { spec, listing, kind, given: None, all_named }).await.map(Arc::new)
}

/// Registers what `CREATE EXTERNAL TABLE ... STORED AS` needs for each format.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    FORMATS.0.iter().try_for_each(|format| format.register(state, FORMATS))
}

/// By a word for it, as in job files.
impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        FORMATS.of_word(&word).ok_or_else(|| serde::de::Error::custom(format!("`{word}` is no format of files")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let kind = |name: &str| FORMATS.kind_of_name(name, None).unwrap().to_string();
        assert_eq!(kind("a.parquet"), "PARQUET");
        assert_eq!(kind("A.JSONL.ZST"), "JSON (zstd)");
        assert_eq!(kind("a.b.ndjson.gz"), "JSON (gzip)");
        assert_eq!(kind("a.csv"), "CSV");
        assert_eq!(kind("a.tsv.xz"), "TSV (xz)");
        for (name, said) in [
            ("a.pq", "PARQUET"),
            ("a.PARQ", "PARQUET"),
            ("a.jsonl.zstd", "JSON (zstd)"),
            ("a.jl.gzip", "JSON (gzip)"),
            ("a.csv.bz2", "CSV (bzip2)"),
            ("a.tab", "TSV"),
        ] {
            assert_eq!(kind(name), said, "{name}");
        }
        for text in ["a.rs", "README", "a.txt", "json", "a.parquet.gz", "a.gz", ".csv.d"] {
            assert_eq!(kind(text), "TEXT", "{text}");
        }
        assert_eq!(FORMATS.kind_of_name("a.json.gz", Some(text::TEXT)).unwrap().to_string(), "TEXT");
        assert_eq!(FORMATS.kind_of_name("a.log.gz", Some(records::JSON)).unwrap().to_string(), "JSON (gzip)");
    }

    #[test]
    fn formats_are_written_by_their_first_word_and_read_by_all() {
        for format in FORMATS.all() {
            let written = serde_json::to_string(&format).unwrap();
            assert_eq!(serde_json::from_str::<Format>(&written).unwrap(), format);
        }
        assert_eq!(serde_json::from_str::<Format>("\"ndjson\"").unwrap(), records::JSON);
        assert!(serde_json::from_str::<Format>("\"orc\"").unwrap_err().to_string().contains("orc"));
        assert_eq!(format!("{:?}", FORMATS.all().collect::<Vec<_>>()), "[Parquet, Json, Csv, Tsv, Text]");
    }
}
