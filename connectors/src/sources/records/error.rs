//! What is wrong with a record, and where: file, line, column, value and what is allowed.

use std::borrow::Cow;
use std::fmt;

use arrow::error::ArrowError;
use datafusion::common::DataFusionError;

use super::formats::JSON;
use crate::sources::files::Format;

/// Why bytes are no record.
pub(crate) const NOT_UTF8: &str = "the record is not valid UTF-8";

/// Characters of a value that a message shows.
const SHOWN: usize = 60;

/// Why a record cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Defect {
    /// The column, or the path of a nested field: `a.b`.
    pub column: Option<String>,
    /// What is wrong, in a sentence without its end.
    pub reason: String,
    /// Byte of the record at which it shows.
    pub at: usize,
    /// Whether only one value is wrong and the record can be read without it.
    pub value_only: bool,
    /// Whether the record stops before it is whole.
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

    /// The record stops before it is whole.
    pub(crate) fn truncated(at: usize) -> Self {
        Self { truncated: true, ..Self::record(at, "the record ends before it is complete") }
    }

    /// The defect in the field `name` of what was read so far.
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

/// An error that says that a file does not hold what its format promises.
pub(crate) fn unreadable(format: Format, text: String) -> DataFusionError {
    let error = if format == JSON { ArrowError::JsonError(text) } else { ArrowError::CsvError(text) };
    DataFusionError::ArrowError(Box::new(error), None)
}

/// A value as messages show it: in quotes, on one line, cut when it is long.
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
