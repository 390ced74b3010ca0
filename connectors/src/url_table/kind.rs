//! Which format a file has: by its extension.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::{Result, internal_err};
use datafusion::datasource::file_format::parquet::ParquetFormatFactory;
use datafusion::datasource::file_format::{FileFormat, FileFormatFactory};
use serde::{Deserialize, Serialize};

use crate::text::TextFormatFactory;

/// Format of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `.parquet`, `.parq`, `.pq`
    Parquet,
    /// `.json`, `.jsonl`, `.ndjson`, `.jl`: one JSON object a line; a `.json` file that begins with `[` is one array of objects.
    #[serde(alias = "jsonl", alias = "ndjson")]
    Json,
    /// `.csv`
    Csv,
    /// `.tsv`, `.tab`: CSV with tabs.
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
    /// `.gz`, `.gzip`
    Gzip,
    /// `.bz2`
    Bzip2,
    /// `.xz`
    Xz,
    /// `.zst`, `.zstd`
    Zstd,
}

impl Compression {
    /// The compression of an ending without its dot, in lower case.
    pub(crate) fn of_extension(extension: &str) -> Option<Self> {
        Some(match extension {
            "gz" | "gzip" => Self::Gzip,
            "bz2" | "bzip2" => Self::Bzip2,
            "xz" => Self::Xz,
            "zst" | "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    /// The usual ending with its dot; nothing where there is none.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Bzip2 => ".bz2",
            Self::Xz => ".xz",
            Self::Zstd => ".zst",
        }
    }

    /// The name that options have for it.
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

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.option())
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
            Some("json" | "jsonl" | "ndjson" | "jl") => Format::Json,
            Some("csv") => Format::Csv,
            Some("tsv" | "tab") => Format::Tsv,
            Some("parquet" | "parq" | "pq") if compression == Compression::None => Format::Parquet,
            _ => Format::Text,
        };
        match forced.unwrap_or(format) {
            format @ (Format::Text | Format::Parquet) => Self { format, compression: Compression::None },
            format => Self { format, compression },
        }
    }

    /// Whether files hold records, which [`crate::records`] reads.
    pub fn is_records(self) -> bool {
        matches!(self.format, Format::Csv | Format::Tsv | Format::Json)
    }

    /// The DataFusion format that reads such files.
    ///
    /// # Errors
    /// An option that the format does not have, or a value it does not take; a format that is not read through DataFusion.
    pub fn file_format(self, state: &dyn Session, options: &BTreeMap<String, String>) -> Result<Arc<dyn FileFormat>> {
        let mut given: HashMap<String, String> = options
            .iter()
            .map(|(key, value)| match key.contains('.') {
                true => (key.to_lowercase(), value.clone()),
                false => (format!("format.{}", key.to_lowercase()), value.clone()),
            })
            .collect();
        if self.format == Format::Parquet {
            // In nanoseconds INT96 timestamps before 1677 and after 2262 would become others.
            given.entry("format.coerce_int96".to_owned()).or_insert_with(|| "us".to_owned());
        }
        match self.format {
            Format::Parquet => ParquetFormatFactory::new().create(state, &given),
            Format::Text => TextFormatFactory.create(state, &given),
            Format::Json | Format::Csv | Format::Tsv => internal_err!("{self} has a reader of its own"),
        }
    }
}

/// What an ending says of a file that is no table by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// A format that limpid reads as a table.
    Table,
    /// Text, whatever it looks like.
    Text,
    /// A format that limpid does not read.
    Foreign(&'static str),
    /// Nothing.
    Unknown,
}

/// What the ending of `name` says; that of a compression does not count.
pub(super) fn ending_of(name: &str) -> Ending {
    if FileKind::of_name(name, None).format != Format::Text {
        return Ending::Table;
    }
    let lower = name.to_ascii_lowercase();
    let (stem, last) = lower.rsplit_once('.').unwrap_or((&lower, ""));
    let last = match Compression::of_extension(last) {
        Some(_) => stem.rsplit_once('.').map_or("", |(_, ending)| ending),
        None => last,
    };
    match last {
        "txt" | "text" | "md" | "markdown" | "rst" | "tex" | "html" | "htm" | "xml" | "svg" | "ipynb" => Ending::Text,
        "arrow" | "arrows" | "feather" | "ipc" => Ending::Foreign("Arrow IPC"),
        "avro" => Ending::Foreign("Avro"),
        "orc" => Ending::Foreign("ORC"),
        "xlsx" | "xls" | "xlsm" | "xlsb" | "ods" => Ending::Foreign("a workbook"),
        _ => Ending::Unknown,
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
        assert_eq!(FileKind::of_name("a.json.gz", Some(Format::Text)).to_string(), "TEXT");
        assert_eq!(FileKind::of_name("a.log.gz", Some(Format::Json)).to_string(), "JSON (gzip)");
    }
}
