//! Errors of records: what is wrong, and where (file, line, column, value and what is allowed).

use std::borrow::Cow;
use std::fmt;

use arrow::error::ArrowError;
use datafusion::common::DataFusionError;

use super::formats::JSON;
use crate::sources::files::Format;

/// The reason for bytes that are not valid UTF-8.
pub(crate) const NOT_UTF8: &str = "the record is not valid UTF-8";

/// Number of characters of a value that a message shows.
const SHOWN: usize = 60;

/// Why a record cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Defect {
    /// The column, or the path of a nested field: `a.b`.
    pub column: Option<String>,
    /// What is wrong, as a sentence without its final period.
    pub reason: String,
    /// Byte offset of the defect in the record.
    pub at: usize,
    /// Whether only one value is wrong, so that the record can be read without it.
    pub value_only: bool,
    /// Whether the record ends prematurely.
    pub truncated: bool,
}

impl Defect {
    /// The record as a whole is malformed.
    pub(crate) fn record(at: usize, reason: impl Into<String>) -> Self {
        Self { column: None, reason: reason.into(), at, value_only: false, truncated: false }
    }

    /// One value does not fit its column.
    pub(crate) fn value(at: usize, reason: impl Into<String>) -> Self {
        Self { value_only: true, ..Self::record(at, reason) }
    }

    /// The record ends prematurely.
    pub(crate) fn truncated(at: usize) -> Self {
        Self { truncated: true, ..Self::record(at, "the record ends before it is complete") }
    }

    /// Moves the defect into the field `name`.
    pub(crate) fn within(mut self, name: &str) -> Self {
        self.column = Some(match self.column {
            None => name.to_owned(),
            Some(rest) if rest.starts_with('[') => format!("{name}{rest}"),
            Some(rest) => format!("{name}.{rest}"),
        });
        self
    }

    /// The reason with the column it concerns.
    pub(crate) fn describe(&self) -> String {
        match &self.column {
            Some(column) => format!("column {column}: {}", self.reason),
            None => self.reason.clone(),
        }
    }
}

/// The error that ends a query: a defect and where it was found.
#[derive(Debug)]
pub(crate) struct RecordError<'a> {
    pub format: Format,
    pub file: &'a str,
    pub line: u64,
    pub defect: &'a Defect,
    pub hint: &'a str,
}

impl fmt::Display for RecordError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: {}", self.file, self.line, self.defect.describe())?;
        if !self.hint.is_empty() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

impl RecordError<'_> {
    pub(crate) fn into_error(self) -> DataFusionError {
        unreadable(self.format, self.to_string())
    }
}

/// The error that a file does not contain what its format promises.
pub(crate) fn unreadable(format: Format, text: String) -> DataFusionError {
    let error = if format == JSON { ArrowError::JsonError(text) } else { ArrowError::CsvError(text) };
    DataFusionError::ArrowError(Box::new(error), None)
}

/// Formats a value for messages: quoted, on one line, truncated if long.
pub(crate) fn shown(value: &str) -> String {
    let mut end = value.char_indices().nth(SHOWN).map_or(value.len(), |(at, _)| at);
    let cut = end < value.len();
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    let text = value.get(..end).unwrap_or(value);
    let text: Cow<'_, str> = if text.contains(char::is_control) {
        text.chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
            .collect::<String>()
            .into()
    } else {
        text.into()
    };
    format!("'{text}{}'", if cut { "..." } else { "" })
}
