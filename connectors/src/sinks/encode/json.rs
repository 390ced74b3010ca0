//! JSON lines: one object per row, NULLs written out.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder, WriterBuilder, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;

use super::after::After;
use super::kind::WriteFormat;
use super::limits::{check_columns, check_json_values};

/// Maximum number of digits that every JSON reader preserves, which is the precision of a 64-bit float.
const SAFE_DIGITS: u8 = 15;

/// Writes rows as JSON objects, one per line.
#[derive(Debug)]
pub struct JsonLines(());

impl JsonLines {
    /// Creates an encoder for rows of `schema`.
    ///
    /// # Errors
    /// JSON has no form for a column; a name is empty or occurs twice.
    pub fn new(schema: &Schema) -> Result<Self> {
        check_columns(WriteFormat::JsonLines, schema)?;
        Ok(Self(()))
    }

    /// Appends the rows of `batch` to `out`, calling `after` after each.
    ///
    /// # Errors
    /// A value is NaN or infinite, which JSON cannot represent; or `after` fails.
    pub(super) fn encode(&self, batch: &RecordBatch, out: &mut Vec<u8>, after: &mut After<'_>) -> Result<()> {
        check_values(batch)?;
        let rows = StructArray::from(batch.clone());
        let field = Arc::new(Field::new_struct("", batch.schema_ref().fields().clone(), false));
        let options = EncoderOptions::default().with_explicit_nulls(true).with_encoder_factory(Arc::new(ExactDecimals));
        let mut encoder = make_encoder(&field, &rows, &options)?;
        for row in 0..batch.num_rows() {
            encoder.encode(row, out);
            out.push(b'\n');
            after(out)?;
        }
        Ok(())
    }
}

/// Checks that JSON can represent all values of `batch`.
///
/// # Errors
/// A value is NaN, infinite, or a time beyond any calendar.
pub fn check_values(batch: &RecordBatch) -> Result<()> {
    let schema = batch.schema_ref();
    schema.fields().iter().zip(batch.columns()).try_for_each(|(field, column)| check_json_values(field.name(), column))
}

/// The configuration of limpid's JSON writer.
pub fn builder() -> WriterBuilder {
    WriterBuilder::new().with_explicit_nulls(true).with_encoder_factory(Arc::new(ExactDecimals))
}

/// Writes decimals with more digits than a float preserves as texts. As numbers, most readers would change them.
#[derive(Debug)]
struct ExactDecimals;

impl EncoderFactory for ExactDecimals {
    fn make_default_encoder<'a>(
        &self,
        _: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let wide = match array.data_type() {
            DataType::Decimal32(digits, _)
            | DataType::Decimal64(digits, _)
            | DataType::Decimal128(digits, _)
            | DataType::Decimal256(digits, _) => *digits > SAFE_DIGITS,
            _ => false,
        };
        if !wide {
            return Ok(None);
        }
        let formatter = ArrayFormatter::try_new(array, &FormatOptions::new())?;
        Ok(Some(NullableEncoder::new(Box::new(Quoted(formatter)), array.nulls().cloned())))
    }
}

/// A value as text that needs no escapes.
struct Quoted<'a>(ArrayFormatter<'a>);

impl Encoder for Quoted<'_> {
    fn encode(&mut self, at: usize, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(self.0.value(at).to_string().as_bytes());
        out.push(b'"');
    }
}
