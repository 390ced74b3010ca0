//! Columns under construction. Values are appended one by one, and the last ones can be removed again.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, BooleanBufferBuilder, Date32Array, Decimal128Array, FixedSizeListArray,
    Float64Array, Int64Array, ListArray, NullBufferBuilder, StringArray, StringViewArray, StructArray, UInt64Array,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::kernels::cast_utils::{Parser, string_to_datetime};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Date32Type, FieldRef, Fields, TimeUnit};
use datafusion::common::{Result, exec_datafusion_err, plan_err};

use super::super::error::shown;
use super::UTC;
use super::values::{self, type_name};

/// Names of columns or fields.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    names: Vec<String>,
    index: HashMap<String, usize>,
}

impl Names {
    pub(crate) fn new(fields: &Fields) -> Self {
        let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
        let index = names.iter().enumerate().map(|(i, name)| (name.clone(), i)).collect();
        Self { names, index }
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Index of `name`, which is probably `guess`.
    pub(crate) fn find(&self, name: &str, guess: usize) -> Option<usize> {
        if self.names.get(guess).is_some_and(|known| known == name) {
            return Some(guess);
        }
        self.index.get(name).copied()
    }
}

/// Bytes of texts for which there is room in the next batch.
const ROOM: usize = 16 << 20;

/// Texts, concatenated.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    pub(crate) bytes: String,
    ends: Vec<usize>,
}

impl Texts {
    /// Ends the text that was written to `bytes`.
    pub(crate) fn close(&mut self) {
        self.ends.push(self.bytes.len());
    }

    fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        self.close();
    }

    fn truncate(&mut self, len: usize) {
        self.ends.truncate(len);
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }

    fn finish(&mut self, nulls: Option<arrow::buffer::NullBuffer>) -> Result<StringArray> {
        // The next batch is probably as large, unless this is a single text with its own batch.
        let room = String::with_capacity(self.bytes.len().min(ROOM));
        let mut bytes = std::mem::replace(&mut self.bytes, room);
        if bytes.len() > ROOM {
            // It has grown by doubling.
            bytes.shrink_to_fit();
        }
        let ends = std::mem::take(&mut self.ends);
        let mut offsets = Vec::with_capacity(ends.len() + 1);
        offsets.push(0i32);
        for end in ends {
            offsets.push(i32::try_from(end).map_err(|_| exec_datafusion_err!("a batch has more than 2 GiB of text"))?);
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        // SAFETY: the bytes are a `String`, each offset was its length after a text was appended, and there is one validity
        // bit per offset.
        Ok(unsafe { StringArray::new_unchecked(offsets, Buffer::from_vec(bytes.into_bytes()), nulls) })
    }
}

/// Values by kind of type.
#[derive(Debug)]
pub(crate) enum Body {
    Bool(BooleanBufferBuilder),
    Int {
        values: Vec<i64>,
        min: i64,
        max: i64,
    },
    Unsigned {
        values: Vec<u64>,
        max: u64,
    },
    Double(Vec<f64>),
    Decimal {
        values: Vec<i128>,
        precision: u8,
        scale: i8,
    },
    Date(Vec<i32>),
    Time {
        values: Vec<i64>,
        unit: TimeUnit,
        /// Whether values say that they are of UTC.
        utc: bool,
    },
    Text(Texts),
    /// Of a type that arrow reads from text.
    Cast(Texts),
    Object {
        fields: Vec<Column>,
        names: Arc<Names>,
        seen: Vec<u64>,
        objects: u64,
    },
    List {
        item: Box<Column>,
        ends: Vec<usize>,
    },
}

/// A column under construction.
#[derive(Debug)]
pub(crate) struct Column {
    data_type: DataType,
    /// Whether the user gave the type. Values are then read as SQL would cast them.
    pub(crate) declared: bool,
    pub(crate) body: Body,
    nulls: NullBufferBuilder,
}

impl Column {
    /// # Errors
    /// A type that no value of a text file has.
    pub(crate) fn try_new(name: &str, data_type: &DataType, declared: bool) -> Result<Self> {
        use DataType as T;
        let int = |min: i64, max: i64| Body::Int { values: Vec::new(), min, max };
        let unsigned = |max: u64| Body::Unsigned { values: Vec::new(), max };
        let nested = |field: &FieldRef| Self::try_new(&format!("{name}.{}", field.name()), field.data_type(), declared);
        let body = match data_type {
            T::Boolean => Body::Bool(BooleanBufferBuilder::new(0)),
            T::Int8 => int(i8::MIN.into(), i8::MAX.into()),
            T::Int16 => int(i16::MIN.into(), i16::MAX.into()),
            T::Int32 => int(i32::MIN.into(), i32::MAX.into()),
            T::Int64 => int(i64::MIN, i64::MAX),
            T::UInt8 => unsigned(u8::MAX.into()),
            T::UInt16 => unsigned(u16::MAX.into()),
            T::UInt32 => unsigned(u32::MAX.into()),
            T::UInt64 => unsigned(u64::MAX),
            T::Float64 | T::Float32 => Body::Double(Vec::new()),
            T::Decimal128(precision, scale) => {
                Body::Decimal { values: Vec::new(), precision: *precision, scale: *scale }
            }
            T::Date32 => Body::Date(Vec::new()),
            T::Timestamp(unit, None) => Body::Time { values: Vec::new(), unit: *unit, utc: false },
            T::Timestamp(unit, Some(zone)) if !declared && **zone == *UTC => {
                Body::Time { values: Vec::new(), unit: *unit, utc: true }
            }
            T::Utf8 | T::LargeUtf8 | T::Utf8View => Body::Text(Texts::default()),
            T::Struct(fields) => Body::Object {
                names: Arc::new(Names::new(fields)),
                seen: vec![0; fields.len()],
                objects: 0,
                fields: fields.iter().map(nested).collect::<Result<_>>()?,
            },
            T::List(field) | T::LargeList(field) | T::FixedSizeList(field, _) => Body::List {
                item: Box::new(Self::try_new(&format!("{name}[]"), field.data_type(), declared)?),
                ends: Vec::new(),
            },
            T::Map(..) | T::Union(..) | T::RunEndEncoded(..) | T::ListView(_) | T::LargeListView(_) | T::Null => {
                return plan_err!("column {name} cannot be {data_type}: CSV and JSON have no such values");
            }
            _ => Body::Cast(Texts::default()),
        };
        Ok(Self { data_type: data_type.clone(), declared, body, nulls: NullBufferBuilder::new(0) })
    }

    pub(crate) fn len(&self) -> usize {
        self.nulls.len()
    }

    pub(crate) fn type_name(&self) -> String {
        type_name(&self.data_type)
    }

    /// Marks the value that was written to the body as one.
    pub(crate) fn close(&mut self) {
        self.nulls.append_non_null();
    }

    /// Appends NULL.
    pub(crate) fn null(&mut self) {
        self.nulls.append_null();
        match &mut self.body {
            Body::Bool(values) => values.append(false),
            Body::Int { values, .. } | Body::Time { values, .. } => values.push(0),
            Body::Unsigned { values, .. } => values.push(0),
            Body::Double(values) => values.push(0.0),
            Body::Decimal { values, .. } => values.push(0),
            Body::Date(values) => values.push(0),
            Body::Text(texts) | Body::Cast(texts) => texts.close(),
            Body::Object { fields, .. } => fields.iter_mut().for_each(Self::null),
            Body::List { ends, .. } => ends.push(ends.last().copied().unwrap_or(0)),
        }
    }

    /// Appends `text`, parsed as the column's type. On an error nothing is appended.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), String> {
        if self.read(text) {
            self.nulls.append_non_null();
            return Ok(());
        }
        Err(self.misfit(text))
    }

    /// Appends the text that `write` produces, parsed as the column's type. On an error nothing is appended.
    pub(crate) fn written(&mut self, write: impl FnOnce(&mut String)) -> Result<(), String> {
        if let Body::Text(texts) = &mut self.body {
            write(&mut texts.bytes);
            texts.close();
            self.nulls.append_non_null();
            return Ok(());
        }
        let mut text = String::new();
        write(&mut text);
        self.text(&text)
    }

    /// Appends a boolean.
    pub(crate) fn boolean(&mut self, value: bool) -> Result<(), String> {
        match &mut self.body {
            Body::Bool(values) => values.append(value),
            Body::Text(_) => return self.text(if value { "true" } else { "false" }),
            _ => return Err(self.misfit(if value { "true" } else { "false" })),
        }
        self.nulls.append_non_null();
        Ok(())
    }

    /// Why a value does not fit.
    pub(crate) fn misfit(&self, text: &str) -> String {
        format!("{} is not of type {}", shown(text), self.type_name())
    }

    fn read(&mut self, text: &str) -> bool {
        let declared = self.declared;
        let trimmed = if declared { text.trim() } else { text };
        let done = match &mut self.body {
            Body::Text(texts) => {
                texts.push(text);
                Some(())
            }
            Body::Bool(values) => boolean(trimmed, declared).map(|value| values.append(value)),
            Body::Int { values, min, max } => {
                let value =
                    if declared { trimmed.parse().ok().or_else(|| integral(trimmed)) } else { values::long(text) };
                value.filter(|value| (*min..=*max).contains(value)).map(|value| values.push(value))
            }
            Body::Unsigned { values, max } => {
                let canonical = declared || values::whole(trimmed).is_some();
                let value = if canonical { trimmed.parse::<u64>().ok() } else { None };
                value.filter(|value| value <= max).map(|value| values.push(value))
            }
            Body::Double(values) => {
                let value = if declared { trimmed.parse().ok() } else { values::double(trimmed) };
                value.map(|value| values.push(value))
            }
            Body::Decimal { values, precision, scale } => {
                let canonical = declared || values::whole(trimmed).is_some();
                let value = if canonical { values::decimal(trimmed, *precision, *scale) } else { None };
                value.map(|value| values.push(value))
            }
            Body::Date(values) => {
                let value = if declared { Date32Type::parse(trimmed) } else { values::date(trimmed) };
                value.map(|value| values.push(value))
            }
            Body::Time { values, unit, utc } => {
                let value = if declared {
                    string_to_datetime(&chrono::Utc, trimmed).ok().and_then(|value| values::in_unit(&value, *unit))
                } else {
                    values::timestamp(trimmed)
                        .filter(|time| time.utc == *utc)
                        .and_then(|time| finer(time.value, time.unit, *unit))
                };
                value.map(|value| values.push(value))
            }
            Body::Cast(texts) => {
                let one = StringArray::from(vec![trimmed]);
                let strict = CastOptions { safe: false, ..CastOptions::default() };
                let fits = cast_with_options(&one, &self.data_type, &strict).is_ok_and(|array| array.null_count() == 0);
                fits.then(|| texts.push(trimmed))
            }
            Body::Object { .. } | Body::List { .. } => None,
        };
        done.is_some()
    }

    /// Removes all values from index `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.nulls.truncate(len);
        match &mut self.body {
            Body::Bool(values) => values.truncate(len),
            Body::Int { values, .. } | Body::Time { values, .. } => values.truncate(len),
            Body::Unsigned { values, .. } => values.truncate(len),
            Body::Double(values) => values.truncate(len),
            Body::Decimal { values, .. } => values.truncate(len),
            Body::Date(values) => values.truncate(len),
            Body::Text(texts) | Body::Cast(texts) => texts.truncate(len),
            Body::Object { fields, .. } => fields.iter_mut().for_each(|field| field.truncate(len)),
            Body::List { item, ends } => {
                ends.truncate(len);
                item.truncate(ends.last().copied().unwrap_or(0));
            }
        }
    }

    /// Returns the values and empties the column.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef> {
        let len = self.len();
        let nulls = self.nulls.finish();
        let data_type = &self.data_type;
        let array: ArrayRef = match &mut self.body {
            Body::Bool(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Body::Int { values, .. } => typed(Arc::new(Int64Array::new(take(values), nulls)), data_type)?,
            Body::Unsigned { values, .. } => typed(Arc::new(UInt64Array::new(take(values), nulls)), data_type)?,
            Body::Double(values) => typed(Arc::new(Float64Array::new(take(values), nulls)), data_type)?,
            Body::Decimal { values, precision, scale } => {
                let array = Decimal128Array::new(take(values), nulls);
                Arc::new(array.with_precision_and_scale(*precision, *scale)?)
            }
            Body::Date(values) => Arc::new(Date32Array::new(take(values), nulls)),
            Body::Time { values, .. } => typed(Arc::new(Int64Array::new(take(values), nulls)), data_type)?,
            Body::Text(texts) => {
                let array = texts.finish(nulls)?;
                match &self.data_type {
                    DataType::Utf8View => Arc::new(StringViewArray::from(&array)),
                    DataType::LargeUtf8 => cast(&array, &DataType::LargeUtf8)?,
                    _ => Arc::new(array),
                }
            }
            Body::Cast(texts) => {
                let array = texts.finish(nulls)?;
                let strict = CastOptions { safe: false, ..CastOptions::default() };
                cast_with_options(&array, &self.data_type, &strict)?
            }
            Body::Object { fields, .. } => {
                let arrays = fields.iter_mut().map(Self::finish).collect::<Result<Vec<_>>>()?;
                match &self.data_type {
                    DataType::Struct(types) if !types.is_empty() => {
                        Arc::new(StructArray::try_new(types.clone(), arrays, nulls)?)
                    }
                    _ => Arc::new(StructArray::new_empty_fields(len, nulls)),
                }
            }
            Body::List { item, ends } => {
                let values = item.finish()?;
                let lengths = std::iter::once(0).chain(ends.iter().copied()).zip(ends.iter().copied());
                let offsets = OffsetBuffer::<i32>::from_lengths(lengths.map(|(start, end)| end - start));
                ends.clear();
                match &self.data_type {
                    DataType::List(field) => Arc::new(ListArray::try_new(Arc::clone(field), offsets, values, nulls)?),
                    DataType::FixedSizeList(field, width) => fixed(field, *width, &offsets, &values, nulls)?,
                    other => {
                        let field = arrow::datatypes::Field::new_list_field(values.data_type().clone(), true);
                        cast(&ListArray::try_new(field.into(), offsets, values, nulls)?, other)?
                    }
                }
            }
        };
        Ok(array)
    }

    /// Number of values that a list must have.
    pub(crate) fn width(&self) -> Option<usize> {
        match self.data_type {
            DataType::FixedSizeList(_, width) => usize::try_from(width).ok(),
            _ => None,
        }
    }
}

fn typed(array: ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    Ok(if array.data_type() == data_type { array } else { cast(&array, data_type)? })
}

fn take<T: arrow::datatypes::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    ScalarBuffer::from(std::mem::take(values))
}

fn fixed(
    field: &FieldRef,
    width: i32,
    offsets: &OffsetBuffer<i32>,
    values: &ArrayRef,
    nulls: Option<arrow::buffer::NullBuffer>,
) -> Result<ArrayRef> {
    // NULL has no items in the list but occupies space in the array.
    let width_usize = usize::try_from(width).unwrap_or(0);
    let mut indices = Vec::new();
    for pair in offsets.windows(2) {
        if let [start, end] = pair {
            if start == end {
                indices.extend(std::iter::repeat_n(None, width_usize));
            } else {
                indices.extend((*start..*end).map(Some));
            }
        }
    }
    let values = arrow::compute::take(values, &arrow::array::Int32Array::from(indices), None)?;
    Ok(Arc::new(FixedSizeListArray::try_new(Arc::clone(field), width, values, nulls)?))
}

fn boolean(text: &str, declared: bool) -> Option<bool> {
    values::boolean(text).or_else(|| match text.to_ascii_lowercase().as_str() {
        "t" | "1" | "yes" | "y" if declared => Some(true),
        "f" | "0" | "no" | "n" if declared => Some(false),
        _ => None,
    })
}

/// Parses `5.0` as 5.
fn integral(text: &str) -> Option<i64> {
    let (units, fraction) = text.split_once('.')?;
    if fraction.bytes().all(|byte| byte == b'0') { units.parse().ok() } else { None }
}

/// A time in a finer unit.
fn finer(value: i64, from: TimeUnit, to: TimeUnit) -> Option<i64> {
    let digits = |unit: TimeUnit| match unit {
        TimeUnit::Second => 0u32,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    let factor = 10i64.checked_pow(digits(to).checked_sub(digits(from))?)?;
    value.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Field;
    use arrow::util::display::array_value_to_string;

    use super::*;

    fn print(array: &ArrayRef) -> Vec<String> {
        (0..array.len()).map(|i| array_value_to_string(array, i).unwrap()).collect()
    }

    #[test]
    fn values_are_appended_and_taken_back() {
        for data_type in [
            DataType::Boolean,
            DataType::Int64,
            DataType::UInt64,
            DataType::Float64,
            DataType::Decimal128(38, 0),
            DataType::Date32,
            DataType::Timestamp(TimeUnit::Microsecond, None),
            DataType::Utf8View,
            DataType::LargeUtf8,
            DataType::Time32(TimeUnit::Second),
        ] {
            let value = match data_type {
                DataType::Boolean => "true",
                DataType::Date32 => "2024-01-31",
                DataType::Timestamp(..) => "2024-01-31T10:00:00",
                DataType::Time32(_) => "10:00:00",
                _ => "7",
            };
            let mut column = Column::try_new("c", &data_type, false).unwrap();
            column.null();
            column.text(value).unwrap();
            column.text(value).unwrap();
            column.truncate(2);
            assert_eq!(column.len(), 2);
            let array = column.finish().unwrap();
            assert_eq!((array.data_type(), array.null_count()), (&data_type, 1));
            let printed = print(&array);
            assert!(printed[1].trim_end_matches(".0") == value, "{printed:?}");
            column.text(value).unwrap();
            assert_eq!(column.finish().unwrap().len(), 1);
        }
    }

    #[test]
    fn inferred_types_are_strict_and_declared_ones_as_sql() {
        for (data_type, text) in [
            (DataType::Int64, "007"),
            (DataType::Int64, " 7"),
            (DataType::Int64, "7.0"),
            (DataType::Boolean, "yes"),
            (DataType::Float64, "9007199254740993"),
            (DataType::Date32, "2024-1-31"),
        ] {
            let mut column = Column::try_new("c", &data_type, false).unwrap();
            assert!(column.text(text).is_err(), "{text}");
            assert_eq!(column.len(), 0);
            let mut column = Column::try_new("c", &data_type, true).unwrap();
            assert_eq!(column.text(text), Ok(()), "{text}");
        }
        let mut column = Column::try_new("c", &DataType::Int8, true).unwrap();
        assert_eq!(column.text("300"), Err("'300' is not of type TINYINT".to_owned()));
        assert_eq!(column.text("7.5"), Err("'7.5' is not of type TINYINT".to_owned()));
    }

    #[test]
    fn lists_are_taken_back_with_their_items() {
        let field = Arc::new(Field::new_list_field(DataType::Int64, true));
        for data_type in [DataType::List(Arc::clone(&field)), DataType::FixedSizeList(field, 1)] {
            let mut column = Column::try_new("c", &data_type, false).unwrap();
            for number in ["1", "2", "3"] {
                let Body::List { item, ends } = &mut column.body else { panic!() };
                item.text(number).unwrap();
                ends.push(item.len());
                column.close();
            }
            column.truncate(1);
            column.null();
            let array = column.finish().unwrap();
            assert_eq!((array.len(), array.null_count()), (2, 1));
            assert_eq!(print(&array), ["[1]", ""]);
            if let Some(list) = array.as_list_opt::<i32>() {
                assert_eq!(list.values().len(), 1);
            }
        }
    }
}
