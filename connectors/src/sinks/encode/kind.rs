//! Format and compression by the name of a file.

use std::fmt;
use std::str::FromStr;

use datafusion::common::{DataFusionError, Result, plan_err};

use crate::compression::Compression;

/// Supported extensions, for messages.
const ALLOWED: &str = ".parquet, .csv, .tsv, .jsonl, .ndjson and .json, and all but .parquet also with .gz or .zst";

/// Format of a written file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteFormat {
    /// Parquet, compressed inside with zstd.
    Parquet,
    /// One JSON array of objects.
    Json,
    /// One JSON object per line.
    JsonLines,
    /// Comma-separated values with a header.
    Csv,
    /// Tab-separated values with a header.
    Tsv,
}

impl WriteFormat {
    /// The format with that extension, given without its dot and in lower case.
    fn of_ending(ending: &str) -> Option<Self> {
        Some(match ending {
            "parquet" | "parq" | "pq" => Self::Parquet,
            "json" => Self::Json,
            "jsonl" | "ndjson" | "jl" => Self::JsonLines,
            "csv" => Self::Csv,
            "tsv" | "tab" => Self::Tsv,
            _ => return None,
        })
    }

    /// The usual extension, without its dot.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Json => "json",
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
        }
    }

    /// Whether a file with this format's extension may contain `other`. Readers of `.json` also accept lines of objects.
    fn allows(self, other: Self) -> bool {
        self == other || (self == Self::Json && other == Self::JsonLines)
    }
}

/// Format and compression of a written file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WriteKind {
    /// The format.
    pub format: WriteFormat,
    /// Compression of the whole file: none, gzip or zstd.
    pub compression: Compression,
}

impl WriteKind {
    /// An uncompressed file.
    pub const fn plain(format: WriteFormat) -> Self {
        Self { format, compression: Compression::None }
    }

    /// Determines format and compression of the file `name`; `wanted` is the requested format, if any.
    ///
    /// # Errors
    /// The name has no known extension and no format was requested; the extension contradicts the requested format; the
    /// format or compression cannot be written.
    pub fn of_name(name: &str, wanted: Option<WriteFormat>) -> Result<Self> {
        let file = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        let ending = |name: &str| name.rsplit_once('.').map(|(stem, ending)| (stem.to_owned(), ending.to_owned()));
        let (stem, compression) = match ending(&file) {
            Some((stem, last)) => match Compression::of_extension(&last) {
                Some(compression) => (stem, compression),
                None => (file.clone(), Compression::None),
            },
            None => (file.clone(), Compression::None),
        };
        if matches!(compression, Compression::Bzip2 | Compression::Xz) {
            return plan_err!("cannot write {name}: limpid compresses with gzip (.gz) and zstd (.zst) only");
        }
        let named = ending(&stem).and_then(|(_, ending)| WriteFormat::of_ending(&ending));
        let format = match (named, wanted) {
            (Some(named), Some(wanted)) if !named.allows(wanted) => {
                return plan_err!(
                    "cannot write {name} as {}: its ending says {}; rename the file or leave out the format",
                    wanted.ending(),
                    named.ending()
                );
            }
            (_, Some(wanted)) => wanted,
            (Some(named), None) => named,
            (None, None) => {
                return plan_err!(
                    "cannot write {name}: its ending says no format; endings that can be written are {ALLOWED}"
                );
            }
        };
        if format == WriteFormat::Parquet && compression != Compression::None {
            return plan_err!("cannot write {name}: Parquet is compressed inside; leave out the second ending");
        }
        Ok(Self { format, compression })
    }
}

impl fmt::Display for WriteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.format.ending(), self.compression.ending())
    }
}

impl FromStr for WriteKind {
    type Err = DataFusionError;

    /// Parses the format of a sink: `parquet`, or `jsonl`, `json`, `ndjson`, `csv` or `tsv`, the latter with or without `.gz`
    /// or `.zst`. `json` means one object per line, as always in folders of files.
    fn from_str(text: &str) -> Result<Self> {
        let lower = text.to_ascii_lowercase();
        let (name, compression) = match lower.split_once('.') {
            None => (lower.as_str(), Some(Compression::None)),
            Some((name, ending)) => (name, Compression::of_extension(ending)),
        };
        let format = match WriteFormat::of_ending(name) {
            Some(WriteFormat::Json) => Some(WriteFormat::JsonLines),
            format => format,
        };
        match (format, compression) {
            (Some(format), Some(Compression::None)) => Ok(Self::plain(format)),
            (Some(format), Some(compression @ (Compression::Gzip | Compression::Zstd)))
                if format != WriteFormat::Parquet =>
            {
                Ok(Self { format, compression })
            }
            _ => plan_err!(
                "'{text}' is no format to write: there are parquet, jsonl, csv and tsv, the last three also with .gz or .zst"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_format_and_compression() {
        for (name, said) in [
            ("a.parquet", "parquet"),
            ("a/b.c/x.PQ", "parquet"),
            ("x.jsonl.gz", "jsonl.gz"),
            ("X.NDJSON.ZSTD", "jsonl.zst"),
            ("x.json.zst", "json.zst"),
            ("x.csv.gzip", "csv.gz"),
            ("x.y.tsv", "tsv"),
        ] {
            assert_eq!(WriteKind::of_name(name, None).unwrap().to_string(), said, "{name}");
        }
        let said = |name: &str, wanted| WriteKind::of_name(name, Some(wanted)).unwrap().to_string();
        assert_eq!(said("out", WriteFormat::Csv), "csv");
        assert_eq!(said("out.gz", WriteFormat::Csv), "csv.gz");
        assert_eq!(said("x.json", WriteFormat::JsonLines), "jsonl");
    }

    #[test]
    fn a_name_never_gets_another_content_than_it_says() {
        let error = |name: &str, wanted| WriteKind::of_name(name, wanted).unwrap_err().to_string();
        for name in ["out", "x.txt", "x.gz", "x.arrow", ".csv.d"] {
            assert!(error(name, None).contains(".parquet, .csv, .tsv, .jsonl"), "{name}");
        }
        assert!(error("x.parquet", Some(WriteFormat::Csv)).contains("its ending says parquet"));
        assert!(error("x.jsonl", Some(WriteFormat::Json)).contains("its ending says jsonl"));
        assert!(error("x.csv.gz", Some(WriteFormat::Parquet)).contains("its ending says csv"));
        assert!(error("x.parquet.gz", None).contains("compressed inside"));
        assert!(error("x.gz", Some(WriteFormat::Parquet)).contains("compressed inside"));
        assert!(error("x.csv.bz2", None).contains("gzip (.gz) and zstd (.zst)"));
    }

    #[test]
    fn formats_of_sinks() {
        for (text, said) in
            [("parquet", "parquet"), ("JSON", "jsonl"), ("ndjson.gz", "jsonl.gz"), ("tsv.zst", "tsv.zst")]
        {
            assert_eq!(text.parse::<WriteKind>().unwrap().to_string(), said);
        }
        for wrong in ["orc", "parquet.gz", "csv.bz2", "csv.txt", ""] {
            assert!(wrong.parse::<WriteKind>().is_err(), "{wrong}");
        }
    }
}
