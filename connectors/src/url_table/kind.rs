//! Which format a file has: by its extension.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::datasource::file_format::csv::CsvFormatFactory;
use datafusion::datasource::file_format::json::JsonFormatFactory;
use datafusion::datasource::file_format::parquet::ParquetFormatFactory;
use datafusion::datasource::file_format::{FileFormat, FileFormatFactory};
use serde::{Deserialize, Serialize};

use crate::text::TextFormatFactory;

/// Format of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `.parquet`
    Parquet,
    /// `.json`, `.jsonl`, `.ndjson`: one JSON object a line; a `.json` file that begins with `[` is one array of objects.
    #[serde(alias = "jsonl", alias = "ndjson")]
    Json,
    /// `.csv`
    Csv,
    /// `.tsv`: CSV with tabs.
    Tsv,
    /// Everything else: one row a file.
    Text,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parquet => "PARQUET",
            Self::Json => "JSON",
            Self::Csv => "CSV",
            Self::Tsv => "TSV",
            Self::Text => "TEXT",
        })
    }
}

/// Compression of a whole file: a second extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// None.
    #[default]
    None,
    /// `.gz`
    Gzip,
    /// `.bz2`
    Bzip2,
    /// `.xz`
    Xz,
    /// `.zst`
    Zstd,
}

impl Compression {
    fn of_extension(extension: &str) -> Option<Self> {
        Some(match extension {
            "gz" => Self::Gzip,
            "bz2" => Self::Bzip2,
            "xz" => Self::Xz,
            "zst" => Self::Zstd,
            _ => return None,
        })
    }

    fn option(self) -> &'static str {
        match self {
            Self::None => "uncompressed",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        }
    }
}

/// Format and compression of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileKind {
    /// Format of the content.
    pub format: Format,
    /// Compression of the file; Parquet compresses inside and has none.
    pub compression: Compression,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.compression {
            Compression::None => write!(f, "{}", self.format),
            compression => write!(f, "{} ({})", self.format, compression.option()),
        }
    }
}

impl FileKind {
    /// What the name of a file says; `forced` replaces the format but not the compression.
    pub fn of_name(name: &str, forced: Option<Format>) -> Self {
        let lower = name.to_ascii_lowercase();
        let (stem, compression) = match lower.rsplit_once('.') {
            Some((stem, last)) => match Compression::of_extension(last) {
                Some(compression) => (stem, compression),
                None => (lower.as_str(), Compression::None),
            },
            None => (lower.as_str(), Compression::None),
        };
        let format = match stem.rsplit_once('.').map(|(_, extension)| extension) {
            Some("json" | "jsonl" | "ndjson") => Format::Json,
            Some("csv") => Format::Csv,
            Some("tsv") => Format::Tsv,
            Some("parquet") if compression == Compression::None => Format::Parquet,
            _ => Format::Text,
        };
        match forced.unwrap_or(format) {
            format @ (Format::Text | Format::Parquet) => Self { format, compression: Compression::None },
            format => Self { format, compression },
        }
    }

    /// The DataFusion format that reads such files.
    ///
    /// # Errors
    /// An option that the format does not have, or a value it does not take.
    pub fn file_format(self, state: &dyn Session, options: &BTreeMap<String, String>) -> Result<Arc<dyn FileFormat>> {
        let mut given: HashMap<String, String> = options
            .iter()
            .map(|(key, value)| match key.contains('.') {
                true => (key.to_lowercase(), value.clone()),
                false => (format!("format.{}", key.to_lowercase()), value.clone()),
            })
            .collect();
        let mut default = |key: &str, value: &str| {
            given.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        };
        if self.format == Format::Tsv {
            default("format.delimiter", "\t");
        }
        if self.compression != Compression::None {
            default("format.compression", self.compression.option());
        }
        match self.format {
            Format::Parquet => ParquetFormatFactory::new().create(state, &given),
            Format::Json => JsonFormatFactory::new().create(state, &given),
            Format::Csv | Format::Tsv => CsvFormatFactory::new().create(state, &given),
            Format::Text => TextFormatFactory.create(state, &given),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let kind = |name: &str| FileKind::of_name(name, None).to_string();
        assert_eq!(kind("a.parquet"), "PARQUET");
        assert_eq!(kind("A.JSONL.ZST"), "JSON (zstd)");
        assert_eq!(kind("a.b.ndjson.gz"), "JSON (gzip)");
        assert_eq!(kind("a.csv"), "CSV");
        assert_eq!(kind("a.tsv.xz"), "TSV (xz)");
        for text in ["a.rs", "README", "a.txt", "json", "a.parquet.gz", "a.gz", ".csv.d"] {
            assert_eq!(kind(text), "TEXT", "{text}");
        }
        assert_eq!(FileKind::of_name("a.json.gz", Some(Format::Text)).to_string(), "TEXT");
        assert_eq!(FileKind::of_name("a.log.gz", Some(Format::Json)).to_string(), "JSON (gzip)");
    }
}
