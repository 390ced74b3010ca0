//! CSV and TSV output. NULL is written as nothing and the empty text as `""`. Values that a reader could misinterpret are
//! quoted.

use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, Schema};
use arrow::json::writer::{EncoderOptions, NullableEncoder, make_encoder};
use arrow::util::display::{ArrayFormatter, DurationFormat, FormatOptions};
use datafusion::common::{Result, exec_datafusion_err, plan_err};

use super::after::After;
use super::kind::WriteFormat;
use super::limits::{check_columns, check_names, value_type};

/// How nested values and bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Nested {
    /// An error before anything is written.
    #[default]
    Refused,
    /// As JSON, and bytes as hexadecimal digits, for people and programs at the other end of a pipe.
    Shown,
}

/// How values are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelimitedOptions {
    /// The separator between two values.
    pub delimiter: u8,
    /// The quote around a value.
    pub quote: u8,
    /// Whether the file starts with the names of the columns.
    pub header: bool,
    /// The text for NULL.
    pub null: String,
    /// How nested values are written.
    pub nested: Nested,
    /// Time formats in `strftime` notation; by default those of RFC 3339.
    pub times: TimeFormats,
}

/// Time formats; `None` selects the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TimeFormats {
    /// Of dates.
    pub date: Option<String>,
    /// Of dates with a time.
    pub datetime: Option<String>,
    /// Of timestamps without a zone.
    pub timestamp: Option<String>,
    /// Of timestamps with a zone.
    pub timestamp_tz: Option<String>,
    /// Of times of day.
    pub time: Option<String>,
}

impl Default for DelimitedOptions {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: b'"',
            header: true,
            null: String::new(),
            nested: Nested::default(),
            times: TimeFormats::default(),
        }
    }
}

/// Writes rows as lines of values.
#[derive(Debug)]
pub struct Delimited {
    options: DelimitedOptions,
    header: Vec<u8>,
}

impl Delimited {
    /// Creates an encoder for rows of `schema`.
    ///
    /// # Errors
    /// CSV has no form for a column, unless nested values are shown; a name is empty or occurs twice; the delimiter is not a
    /// single character.
    pub fn new(schema: &Schema, options: DelimitedOptions) -> Result<Self> {
        let DelimitedOptions { delimiter, quote, .. } = options;
        let is_sign = |byte: u8| byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0);
        if delimiter == quote || !is_sign(delimiter) || !is_sign(quote) {
            return plan_err!("delimiter and quote of CSV must be two different signs of ASCII that do not end a line");
        }
        let mut encoder = Self { header: Vec::new(), options };
        if encoder.options.nested == Nested::Refused {
            check_columns(WriteFormat::Csv, schema)?;
        }
        if encoder.options.header {
            if encoder.options.nested == Nested::Refused {
                check_names(schema.fields())?;
            }
            let mut header = Vec::new();
            for (at, field) in schema.fields().iter().enumerate() {
                if at > 0 {
                    header.push(delimiter);
                }
                encoder.push(field.name(), &mut header);
            }
            header.push(b'\n');
            encoder.header = header;
        }
        Ok(encoder)
    }

    /// The header line; empty if there is none.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Appends the rows of `batch` to `out`, calling `after` after each.
    ///
    /// # Errors
    /// A value cannot be formatted, or `after` fails.
    pub(super) fn encode(&self, batch: &RecordBatch, out: &mut Vec<u8>, after: &mut After<'_>) -> Result<()> {
        let formats = self.formats();
        let json = EncoderOptions::default().with_explicit_nulls(true);
        let schema = batch.schema_ref();
        let columns = schema.fields().iter().zip(batch.columns());
        let mut columns =
            columns.map(|(field, column)| Column::new(field, column, &formats, &json)).collect::<Result<Vec<_>>>()?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            for (at, (column, field)) in columns.iter_mut().zip(schema.fields()).enumerate() {
                if at > 0 {
                    out.push(self.options.delimiter);
                }
                match column.value(row, &mut text) {
                    Ok(Some(value)) => self.push(value, out),
                    Ok(None) => out.extend_from_slice(self.options.null.as_bytes()),
                    Err(e) => {
                        return Err(exec_datafusion_err!("cannot write a value of column `{}`: {e}", field.name()));
                    }
                }
            }
            out.push(b'\n');
            after(out)?;
        }
        Ok(())
    }

    fn formats(&self) -> FormatOptions<'_> {
        let times = &self.options.times;
        FormatOptions::new()
            .with_display_error(false)
            .with_duration_format(DurationFormat::ISO8601)
            .with_date_format(times.date.as_deref())
            .with_datetime_format(times.datetime.as_deref())
            .with_timestamp_format(times.timestamp.as_deref())
            .with_timestamp_tz_format(times.timestamp_tz.as_deref())
            .with_time_format(times.time.as_deref())
    }

    fn push(&self, value: &str, out: &mut Vec<u8>) {
        let DelimitedOptions { delimiter, quote, ref null, .. } = self.options;
        let special = |byte: u8| byte == delimiter || byte == quote || matches!(byte, b'\n' | b'\r');
        let edge = |c: char| c.is_whitespace() || c == '\u{feff}';
        let quoted = value.is_empty()
            || value == null
            || value.starts_with(edge)
            || value.ends_with(edge)
            || value.starts_with('#')
            || value.bytes().any(special);
        if !quoted {
            out.extend_from_slice(value.as_bytes());
            return;
        }
        out.push(quote);
        for byte in value.bytes() {
            if byte == quote {
                out.push(quote);
            }
            out.push(byte);
        }
        out.push(quote);
    }
}

/// The values of a column, formatted as text.
enum Column<'a> {
    Text(&'a ArrayRef),
    Other(&'a ArrayRef, ArrayFormatter<'a>),
    Json(NullableEncoder<'a>, Vec<u8>),
}

impl<'a> Column<'a> {
    fn new(
        field: &'a FieldRef,
        column: &'a ArrayRef,
        formats: &FormatOptions<'a>,
        json: &'a EncoderOptions,
    ) -> Result<Self> {
        Ok(match column.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text(column),
            other if value_type(other).is_nested() => {
                Self::Json(make_encoder(field, column.as_ref(), json)?, Vec::new())
            }
            _ => Self::Other(column, ArrayFormatter::try_new(column.as_ref(), formats)?),
        })
    }

    /// The value in `row`; `None` for NULL. `text` is a buffer that it may use.
    fn value<'t>(&'t mut self, row: usize, text: &'t mut String) -> Result<Option<&'t str>> {
        match self {
            Self::Text(column) if column.is_null(row) => Ok(None),
            Self::Text(column) => Ok(Some(match column.data_type() {
                DataType::LargeUtf8 => column.as_string::<i64>().value(row),
                DataType::Utf8View => column.as_string_view().value(row),
                _ => column.as_string::<i32>().value(row),
            })),
            Self::Json(encoder, _) if encoder.is_null(row) => Ok(None),
            Self::Json(encoder, bytes) => {
                bytes.clear();
                encoder.encode(row, bytes);
                text.clear();
                text.push_str(&String::from_utf8_lossy(bytes));
                Ok(Some(text))
            }
            // For dictionaries and run-end encoded arrays, logical nulls tell whether the value itself is NULL.
            Self::Other(column, _) if column.logical_nulls().is_some_and(|nulls| nulls.is_null(row)) => Ok(None),
            Self::Other(_, formatter) => {
                text.clear();
                write!(text, "{}", formatter.value(row).try_to_string()?)?;
                Ok(Some(text))
            }
        }
    }
}
