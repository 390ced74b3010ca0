//! Options for reading CSV and JSON files. They are plain data, so that a plan that contains them can be serialised.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use serde::{Deserialize, Serialize};

use super::formats::{JSON, TSV};
use super::input::Charset;
use crate::compression::Compression;
use crate::sources::files::Format;

/// What happens to a record that cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// The query ends with an error that names file, line, column and value.
    #[default]
    Fail,
    /// The record is skipped and counted (`rows_rejected`).
    Skip,
    /// A value that does not fit becomes NULL and is counted (`values_rejected`); a malformed record is skipped and counted.
    Null,
}

/// CSV records with fewer fields than there are columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ragged {
    /// They are errors.
    #[default]
    Error,
    /// Missing fields are NULL; records with more fields are still errors.
    Pad,
}

/// What types are inferred from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sample {
    /// All of files that have up to 64 MB of text together, otherwise 16 MB spread over them.
    #[default]
    Auto,
    /// Every byte of every file.
    All,
    /// At most this many bytes of all files together, spread over them.
    Bytes(u64),
}

/// How the records of a JSON file follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JsonLayout {
    /// One object per line.
    Lines,
    /// Consecutive objects over any number of lines, or arrays of objects.
    Document,
}

/// Options of CSV, TSV and JSON sources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordOptions {
    /// Compression of every file, overriding what its first bytes say.
    pub compression: Option<Compression>,
    /// Encoding of every file. By default a byte order mark decides, otherwise UTF-8 is assumed.
    pub encoding: Option<Charset>,
    /// What happens to records that cannot be read.
    pub on_error: OnError,
    /// What types are inferred from.
    pub sample: Sample,
    /// Whether the table lists rejected records instead.
    pub rejects: bool,
    /// All columns, as the list of a `CREATE TABLE`.
    pub columns: Option<String>,
    /// Types of some columns, as the list of a `CREATE TABLE`; the others are inferred.
    pub types: Option<String>,
    /// CSV: field separator; detected in each file if not given.
    pub delimiter: Option<u8>,
    /// CSV: quote character; `Some(None)` disables quotes.
    pub quote: Option<Option<u8>>,
    /// CSV: escape character within quotes; the quote itself if not given.
    pub escape: Option<u8>,
    /// CSV: lines that start with this byte are ignored.
    pub comment: Option<u8>,
    /// CSV: whether the first record names the columns; detected if not given.
    pub header: Option<bool>,
    /// CSV: unquoted values that are NULL, in addition to the empty one.
    pub null: Option<String>,
    /// CSV: how short records are treated.
    pub ragged: Ragged,
    /// JSON: layout of records; detected in each file if not given.
    pub layout: Option<JsonLayout>,
}

const SHARED: &str = "columns, types, sample, on_error, rejects, encoding, compression";
const DIALECT: &str = "delimiter, quote, escape, comment, header, null, ragged";

impl RecordOptions {
    /// Parses options by name, each with or without the prefix `format.`.
    ///
    /// # Errors
    /// The format does not have an option or does not accept its value. The message names both and what is allowed.
    pub fn parse(format: Format, given: &BTreeMap<String, String>) -> Result<Self> {
        let mut options = Self::default();
        for (key, value) in given {
            let lower = key.to_lowercase();
            let name = lower.strip_prefix("format.").unwrap_or(&lower);
            if !options.shared(name, value)? {
                let known = if format == JSON { options.json(name, value)? } else { options.csv(name, value)? };
                if !known {
                    let others = if format == JSON { "format" } else { DIALECT };
                    return plan_err!("{format} has no option {name}: there are {SHARED}, {others}");
                }
            }
        }
        if format == TSV && options.delimiter.is_none() {
            options.delimiter = Some(b'\t');
        }
        if options.columns.is_some() && options.types.is_some() {
            return plan_err!(
                "the options columns and types exclude each other: columns lists all columns, types some"
            );
        }
        if options.delimiter.is_some() && options.quote.flatten() == options.delimiter {
            return plan_err!("the options delimiter and quote are the same character");
        }
        Ok(options)
    }

    fn shared(&mut self, name: &str, value: &str) -> Result<bool> {
        match name {
            "columns" | "schema" => self.columns = Some(value.to_owned()),
            "types" | "column_types" | "dtypes" => self.types = Some(value.to_owned()),
            "sample" | "sample_size" => {
                self.sample = match value.trim().to_lowercase().as_str() {
                    "auto" => Sample::Auto,
                    "all" | "-1" => Sample::All,
                    text => match text.parse::<u64>() {
                        Ok(megabytes) if name == "sample" && megabytes > 0 => {
                            Sample::Bytes(megabytes.saturating_mul(1 << 20))
                        }
                        _ => return bad(name, value, "'auto', 'all' and a whole number of megabytes"),
                    },
                }
            }
            "on_error" => {
                self.on_error = match value.to_lowercase().as_str() {
                    "fail" => OnError::Fail,
                    "skip" => OnError::Skip,
                    "null" => OnError::Null,
                    _ => return bad(name, value, "'fail', 'skip' and 'null'"),
                }
            }
            "ignore_errors" => self.on_error = if flag(name, value)? { OnError::Skip } else { OnError::Fail },
            "rejects" => self.rejects = flag(name, value)?,
            "encoding" => self.encoding = Some(Charset::parse(value)?),
            "compression" => self.compression = compression(value)?,
            // Used when files are listed.
            "skip_unreadable" => _ = flag(name, value)?,
            "schema_infer_max_rec" | "schema_infer_max_records" => {
                return plan_err!(
                    "there is no option {name} any more: types come from up to 64 MB of all files; give sample => 'all' or a number of megabytes"
                );
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn csv(&mut self, name: &str, value: &str) -> Result<bool> {
        match name {
            "delimiter" | "delim" | "sep" | "field_delimiter" => self.delimiter = Some(character(name, value)?),
            "quote" if value.is_empty() => self.quote = Some(None),
            "quote" => self.quote = Some(Some(character(name, value)?)),
            "escape" => self.escape = Some(character(name, value)?),
            "comment" => self.comment = Some(character(name, value)?),
            "header" | "has_header" => {
                self.header = if value.eq_ignore_ascii_case("auto") { None } else { Some(flag(name, value)?) }
            }
            "null" | "nullstr" | "null_value" | "null_string" => self.null = Some(value.to_owned()),
            "ragged" => {
                self.ragged = match value.to_lowercase().as_str() {
                    "error" => Ragged::Error,
                    "pad" => Ragged::Pad,
                    _ => return bad(name, value, "'error' and 'pad'"),
                }
            }
            "null_padding" | "truncated_rows" => {
                self.ragged = if flag(name, value)? { Ragged::Pad } else { Ragged::Error }
            }
            // Quoted line feeds and doubled quotes are always accepted.
            "newlines_in_values" => _ = flag(name, value)?,
            "double_quote" => {
                if !flag(name, value)? {
                    return bad(name, value, "'true'; give escape => '\\' where a backslash escapes a quote");
                }
            }
            "terminator" => {
                if !matches!(value, "\n" | "\r" | "\r\n" | "\\n" | "\\r" | "\\r\\n") {
                    return bad(name, value, "line feed, carriage return, or both");
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn json(&mut self, name: &str, value: &str) -> Result<bool> {
        match name {
            "format" | "layout" => {
                self.layout = match value.to_lowercase().as_str() {
                    "auto" => None,
                    "lines" | "newline_delimited" => Some(JsonLayout::Lines),
                    "document" | "array" | "unstructured" => Some(JsonLayout::Document),
                    _ => return bad(name, value, "'auto', 'lines', 'document', 'array' and 'unstructured'"),
                }
            }
            "newline_delimited" => {
                self.layout = Some(if flag(name, value)? { JsonLayout::Lines } else { JsonLayout::Document })
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether `text`, unquoted, is NULL.
    pub(crate) fn is_null(&self, text: &str) -> bool {
        text.is_empty() || self.null.as_deref() == Some(text)
    }
}

/// The Arrow type of text columns in this session.
pub(crate) fn text_type(views: bool) -> DataType {
    if views { DataType::Utf8View } else { DataType::Utf8 }
}

fn compression(value: &str) -> Result<Option<Compression>> {
    Ok(Some(match value.to_lowercase().as_str() {
        "auto" | "auto_detect" => return Ok(None),
        "none" | "uncompressed" | "" => Compression::None,
        "gzip" | "gz" => Compression::Gzip,
        "bzip2" | "bz2" => Compression::Bzip2,
        "xz" => Compression::Xz,
        "zstd" | "zst" => Compression::Zstd,
        _ => return bad("compression", value, "'auto', 'none', 'gzip', 'bzip2', 'xz' and 'zstd'"),
    }))
}

fn flag(name: &str, value: &str) -> Result<bool> {
    match value.to_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => bad(name, value, "true and false"),
    }
}

fn character(name: &str, value: &str) -> Result<u8> {
    match value.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Ok(*byte),
        _ => bad(name, value, "one ASCII character other than a line break, or '\\t' for a tab"),
    }
}

fn bad<T>(name: &str, value: &str, allowed: &str) -> Result<T> {
    plan_err!("option {name} is '{value}': allowed are {allowed}")
}

#[cfg(test)]
mod tests {
    use super::super::formats::CSV;
    use super::*;

    fn parse(format: Format, pairs: &[(&str, &str)]) -> Result<RecordOptions> {
        RecordOptions::parse(format, &pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn old_and_new_spellings() {
        let options = parse(CSV, &[("format.delimiter", ";"), ("HAS_HEADER", "False"), ("quote", "")]).unwrap();
        assert_eq!((options.delimiter, options.header, options.quote), (Some(b';'), Some(false), Some(None)));
        assert_eq!(parse(TSV, &[]).unwrap().delimiter, Some(b'\t'));
        assert_eq!(parse(CSV, &[("sep", "\\t")]).unwrap().delimiter, Some(b'\t'));
        let options = parse(JSON, &[("format.ignore_errors", "true"), ("newline_delimited", "false")]).unwrap();
        assert_eq!((options.on_error, options.layout), (OnError::Skip, Some(JsonLayout::Document)));
    }

    #[test]
    fn errors_name_option_value_and_what_is_allowed() {
        for (format, key, value, expected) in [
            (CSV, "on_error", "ignore", "option on_error is 'ignore': allowed are 'fail'"),
            (CSV, "delimiter", "ab", "option delimiter is 'ab'"),
            (CSV, "delim_whitespace", "true", "CSV has no option delim_whitespace: there are columns"),
            (JSON, "delimiter", ";", "JSON has no option delimiter"),
            (JSON, "schema_infer_max_rec", "10", "sample => 'all'"),
            (CSV, "encoding", "klingon", "klingon"),
        ] {
            let error = parse(format, &[(key, value)]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn options_travel() {
        let options = parse(CSV, &[("delimiter", ";"), ("encoding", "latin1"), ("on_error", "skip")]).unwrap();
        let json = serde_json::to_string(&options).unwrap();
        assert_eq!(serde_json::from_str::<RecordOptions>(&json).unwrap(), options);
    }
}
