//! Encodes Arrow columns as canonical cells.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Decimal256Array, Float64Array, Int64Array,
    IntervalMonthDayNanoArray, LargeBinaryArray, LargeStringArray, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Field, Float64Type, Int32Type, Int64Type, IntervalDayTimeType,
    IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType, TimeUnit, UInt64Type, i256,
};
use arrow::datatypes::{
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use datafusion::common::{Result, not_impl_err};

use crate::kernels::canonical::{self, Form, Time};
use crate::kernels::row_hash;

/// A column whose values are written in canonical form.
pub struct Cells {
    kind: Kind,
    nulls: Option<NullBuffer>,
    length: usize,
    form: Form,
}

enum Kind {
    Nothing,
    Boolean(BooleanArray),
    Integer(Int64Array),
    Unsigned(UInt64Array),
    Float(Float64Array),
    Decimal(Decimal128Array, i8),
    WideDecimal(Decimal256Array, i8),
    Text(LargeStringArray),
    Binary(LargeBinaryArray),
    Time { values: Int64Array, kind: Time, nanoseconds: i128 },
    Interval(IntervalMonthDayNanoArray),
    List { offsets: OffsetBuffer<i64>, items: Box<Cells> },
    Struct { names: Vec<String>, fields: Vec<Cells> },
}

/// Whether [`Cells`] knows values of this type.
pub fn is_supported(data_type: &DataType) -> bool {
    use DataType as T;
    match data_type {
        T::Dictionary(_, value) => is_supported(value),
        T::RunEndEncoded(_, value) => is_supported(value.data_type()),
        T::List(item)
        | T::LargeList(item)
        | T::FixedSizeList(item, _)
        | T::ListView(item)
        | T::LargeListView(item)
        | T::Map(item, _) => is_supported(item.data_type()),
        T::Struct(fields) => fields.iter().all(|field| is_supported(field.data_type())),
        T::Union(..) => false,
        _ => true,
    }
}

impl Cells {
    /// Reads a column.
    ///
    /// # Errors
    /// A type that has no canonical form: unions.
    pub fn try_new(array: &ArrayRef, form: Form) -> Result<Self> {
        use DataType as T;
        let kind = match array.data_type() {
            T::Null => Kind::Nothing,
            T::Boolean => Kind::Boolean(array.as_boolean().clone()),
            T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 => {
                Kind::Integer(cast(array, &T::Int64)?.as_primitive::<Int64Type>().clone())
            }
            T::UInt64 => Kind::Unsigned(array.as_primitive::<UInt64Type>().clone()),
            T::Float16 | T::Float32 | T::Float64 => {
                Kind::Float(cast(array, &T::Float64)?.as_primitive::<Float64Type>().clone())
            }
            T::Decimal32(_, scale) | T::Decimal64(_, scale) | T::Decimal128(_, scale) => {
                let wide = cast(array, &T::Decimal128(38, *scale))?;
                Kind::Decimal(wide.as_primitive::<Decimal128Type>().clone(), *scale)
            }
            T::Decimal256(_, scale) => Kind::WideDecimal(array.as_primitive::<Decimal256Type>().clone(), *scale),
            T::Utf8 | T::LargeUtf8 | T::Utf8View => Kind::Text(cast(array, &T::LargeUtf8)?.as_string::<i64>().clone()),
            T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => {
                Kind::Binary(cast(array, &T::LargeBinary)?.as_binary::<i64>().clone())
            }
            T::Date32 | T::Date64 | T::Timestamp(..) | T::Time32(_) | T::Time64(_) | T::Duration(_) => time(array),
            T::Interval(unit) => Kind::Interval(interval(array, *unit)),
            T::Dictionary(_, value) => return Self::try_new(&cast(array, value)?, form),
            T::RunEndEncoded(_, value) => return Self::try_new(&cast(array, value.data_type())?, form),
            T::LargeList(_) => {
                let list = array.as_list::<i64>();
                Kind::List { offsets: list.offsets().clone(), items: Box::new(Self::try_new(list.values(), form)?) }
            }
            T::List(item) | T::FixedSizeList(item, _) | T::ListView(item) | T::LargeListView(item) => {
                return Self::try_new(&cast(array, &T::LargeList(item.clone()))?, form);
            }
            T::Map(..) => {
                let map = array.as_map();
                let offsets = OffsetBuffer::new(map.offsets().iter().map(|&offset| i64::from(offset)).collect());
                let entries: ArrayRef = std::sync::Arc::new(map.entries().clone());
                Kind::List { offsets, items: Box::new(Self::try_new(&entries, form)?) }
            }
            T::Struct(fields) => {
                let columns = array.as_struct().columns().iter();
                Kind::Struct {
                    names: fields.iter().map(|field| field.name().clone()).collect(),
                    fields: columns.map(|column| Self::try_new(column, form)).collect::<Result<_>>()?,
                }
            }
            other => return not_impl_err!("values of type {other} have no canonical form"),
        };
        Ok(Self { kind, nulls: array.logical_nulls(), length: array.len(), form })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Appends the canonical bytes of a row's value.
    pub fn encode(&self, row: usize, out: &mut Vec<u8>) {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return canonical::null(out);
        }
        let form = self.form;
        match &self.kind {
            Kind::Nothing => canonical::null(out),
            Kind::Boolean(values) => canonical::boolean(out, form, values.value(row)),
            Kind::Integer(values) => canonical::integer(out, form, values.value(row).into()),
            Kind::Unsigned(values) => canonical::integer(out, form, values.value(row).into()),
            Kind::Float(values) => canonical::float(out, form, values.value(row)),
            Kind::Decimal(values, scale) => canonical::decimal(out, form, values.value(row), *scale),
            Kind::WideDecimal(values, scale) => wide_decimal(out, form, values.value(row), *scale),
            Kind::Text(values) => canonical::string(out, form, values.value(row).as_bytes()),
            Kind::Binary(values) => canonical::binary(out, values.value(row)),
            Kind::Time { values, kind, nanoseconds } => {
                canonical::time(out, form, *kind, i128::from(values.value(row)) * nanoseconds);
            }
            Kind::Interval(values) => {
                let value = values.value(row);
                canonical::interval(out, form, value.months, value.days, value.nanoseconds);
            }
            Kind::List { offsets, items } => {
                let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
                canonical::list(out, to - from);
                for at in from..to {
                    canonical::item(out, |out| items.encode(at, out));
                }
            }
            Kind::Struct { names, fields } => {
                canonical::structure(out, fields.len());
                for (name, field) in names.iter().zip(fields) {
                    canonical::item(out, |out| out.extend(name.as_bytes()));
                    canonical::item(out, |out| field.encode(row, out));
                }
            }
        }
    }

    /// Calls `each` with every row's hash.
    pub fn hashes(&self, mut each: impl FnMut(usize, u128)) {
        let mut bytes = Vec::with_capacity(64);
        for row in 0..self.length {
            bytes.clear();
            self.encode(row, &mut bytes);
            each(row, row_hash::cell(&bytes));
        }
    }
}

/// Encodes a 256-bit decimal, in the narrower form if it fits, so that the width does not matter.
fn wide_decimal(out: &mut Vec<u8>, form: Form, mut mantissa: i256, mut scale: i8) {
    let ten = i256::from_i128(10);
    while scale > 0 && mantissa != i256::ZERO && mantissa.checked_rem(ten) == Some(i256::ZERO) {
        mantissa = mantissa.checked_div(ten).unwrap_or(mantissa);
        scale -= 1;
    }
    match mantissa.to_i128() {
        Some(narrow) => canonical::decimal(out, form, narrow, scale),
        None => canonical::wide_decimal(
            out,
            form,
            &mantissa.to_le_bytes(),
            scale,
            &format!("{mantissa}e{}", -i32::from(scale)),
        ),
    }
}

/// The kind of a date, time or duration column, which are encoded as whole numbers of units.
fn time(array: &ArrayRef) -> Kind {
    use DataType as T;
    const SECOND: i128 = 1_000_000_000;
    let narrow = |values: &arrow::array::PrimitiveArray<Int32Type>| values.unary(i64::from);
    let (values, kind, nanoseconds): (Int64Array, Time, i128) = match array.data_type() {
        T::Date32 => {
            let days = array.as_primitive::<Date32Type>();
            (days.unary(i64::from), Time::Local, canonical::DAY)
        }
        T::Date64 => (array.as_primitive::<Date64Type>().reinterpret_cast(), Time::Local, SECOND / 1_000),
        T::Time32(TimeUnit::Second) => {
            (narrow(&array.as_primitive::<Time32SecondType>().reinterpret_cast()), Time::OfDay, SECOND)
        }
        T::Time32(_) => {
            (narrow(&array.as_primitive::<Time32MillisecondType>().reinterpret_cast()), Time::OfDay, SECOND / 1_000)
        }
        T::Time64(TimeUnit::Microsecond) => {
            (array.as_primitive::<Time64MicrosecondType>().reinterpret_cast(), Time::OfDay, 1_000)
        }
        T::Time64(_) => (array.as_primitive::<Time64NanosecondType>().reinterpret_cast(), Time::OfDay, 1),
        T::Duration(TimeUnit::Second) => {
            (array.as_primitive::<DurationSecondType>().reinterpret_cast(), Time::Duration, SECOND)
        }
        T::Duration(TimeUnit::Millisecond) => {
            (array.as_primitive::<DurationMillisecondType>().reinterpret_cast(), Time::Duration, SECOND / 1_000)
        }
        T::Duration(TimeUnit::Microsecond) => {
            (array.as_primitive::<DurationMicrosecondType>().reinterpret_cast(), Time::Duration, 1_000)
        }
        T::Duration(_) => (array.as_primitive::<DurationNanosecondType>().reinterpret_cast(), Time::Duration, 1),
        T::Timestamp(unit, zone) => {
            let kind = if zone.is_some() { Time::Instant } else { Time::Local };
            match unit {
                TimeUnit::Second => (array.as_primitive::<TimestampSecondType>().reinterpret_cast(), kind, SECOND),
                TimeUnit::Millisecond => {
                    (array.as_primitive::<TimestampMillisecondType>().reinterpret_cast(), kind, SECOND / 1_000)
                }
                TimeUnit::Microsecond => {
                    (array.as_primitive::<TimestampMicrosecondType>().reinterpret_cast(), kind, 1_000)
                }
                TimeUnit::Nanosecond => (array.as_primitive::<TimestampNanosecondType>().reinterpret_cast(), kind, 1),
            }
        }
        _ => (Int64Array::new_null(array.len()), Time::Local, 1),
    };
    Kind::Time { values, kind, nanoseconds }
}

fn interval(array: &ArrayRef, unit: IntervalUnit) -> IntervalMonthDayNanoArray {
    use arrow::datatypes::IntervalMonthDayNano as Value;
    match unit {
        IntervalUnit::YearMonth => {
            let months = array.as_primitive::<IntervalYearMonthType>();
            months.unary(|months| Value { months, days: 0, nanoseconds: 0 })
        }
        IntervalUnit::DayTime => array.as_primitive::<IntervalDayTimeType>().unary(|value| Value {
            months: 0,
            days: value.days,
            nanoseconds: i64::from(value.milliseconds) * 1_000_000,
        }),
        IntervalUnit::MonthDayNano => array.as_primitive::<IntervalMonthDayNanoType>().clone(),
    }
}

/// A column that is not a struct, identified by the path of field names that leads to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The field names on the path, ending with the column's own, joined by dots.
    pub name: String,
    /// The field positions on the path.
    pub path: Vec<usize>,
    /// Type of the values.
    pub data_type: DataType,
}

/// The columns of a schema, with structs flattened. A NULL struct counts as one whose fields are all NULL.
pub fn leaves<'a>(fields: impl IntoIterator<Item = &'a Field>) -> Vec<Leaf> {
    let mut found = vec![];
    for (at, field) in fields.into_iter().enumerate() {
        descend(field, field.name().clone(), vec![at], &mut found);
    }
    found
}

fn descend(field: &Field, name: String, path: Vec<usize>, found: &mut Vec<Leaf>) {
    match field.data_type() {
        DataType::Struct(fields) if !fields.is_empty() => {
            for (at, field) in fields.iter().enumerate() {
                let path = path.iter().copied().chain([at]).collect();
                descend(field, format!("{name}.{}", field.name()), path, found);
            }
        }
        data_type => found.push(Leaf { name, path, data_type: data_type.clone() }),
    }
}

/// The values of a leaf; NULL wherever an enclosing struct is NULL.
pub fn leaf_values(columns: &[ArrayRef], path: &[usize]) -> Result<ArrayRef> {
    let Some((&first, rest)) = path.split_first() else { return not_impl_err!("a column without a place") };
    let mut array = ArrayRef::clone(&columns[first]);
    for &at in rest {
        let outer = array.as_struct();
        let inner = ArrayRef::clone(outer.column(at));
        array = match outer.nulls() {
            Some(above) if above.null_count() > 0 && *inner.data_type() != DataType::Null => {
                let nulls = NullBuffer::union(Some(above), inner.nulls());
                arrow::array::make_array(inner.to_data().into_builder().nulls(nulls).build()?)
            }
            _ => inner,
        };
    }
    Ok(array)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        Date32Array, DictionaryArray, FixedSizeListArray, Float32Array, Int32Array, ListArray, RecordBatch,
        StringArray, StringViewArray, StructArray, TimestampMillisecondArray, TimestampSecondArray,
    };
    use arrow::datatypes::Int8Type;

    use super::*;

    fn hashes(array: impl Array + 'static) -> Vec<u128> {
        let cells = Cells::try_new(&(Arc::new(array) as ArrayRef), Form::Value).unwrap();
        let mut out = vec![];
        cells.hashes(|_, hash| out.push(hash));
        out
    }

    #[test]
    fn encodings_and_widths_do_not_show() {
        let text = hashes(StringArray::from(vec![Some("a"), None, Some("b")]));
        assert_eq!(text, hashes(StringViewArray::from(vec![Some("a"), None, Some("b")])));
        assert_eq!(text, hashes([Some("a"), None, Some("b")].into_iter().collect::<DictionaryArray<Int8Type>>()));
        let numbers = hashes(Int32Array::from(vec![Some(1), None, Some(-3)]));
        assert_eq!(numbers, hashes(Float32Array::from(vec![Some(1.0), None, Some(-3.0)])));
        let decimals = Decimal128Array::from(vec![Some(100), None, Some(-300)]).with_precision_and_scale(9, 2).unwrap();
        assert_eq!(numbers, hashes(decimals));
        let wide = Decimal256Array::from(vec![Some(i256::from_i128(1000)), None, Some(i256::from_i128(-3000))]);
        assert_eq!(numbers, hashes(wide.with_precision_and_scale(70, 3).unwrap()));
        assert_eq!(text[1], numbers[1], "NULL is NULL");
        let days = hashes(Date32Array::from(vec![18_000]));
        assert_eq!(days, hashes(TimestampSecondArray::from(vec![18_000 * 86_400])));
        assert_eq!(days, hashes(TimestampMillisecondArray::from(vec![18_000 * 86_400_000])));
        assert_ne!(days, hashes(TimestampSecondArray::from(vec![18_000 * 86_400]).with_timezone("UTC")));
    }

    #[test]
    fn lists_of_every_layout() {
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), Some(2)]), None]);
        let fixed = FixedSizeListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), Some(2)]), None], 2);
        assert_eq!(hashes(list.clone()), hashes(fixed));
        let sliced = list.slice(0, 1);
        assert_eq!(hashes(sliced), hashes(list)[..1]);
    }

    #[test]
    fn structs_fall_into_leaves() {
        let inner = Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef;
        let field = Arc::new(Field::new("x", DataType::Int32, true));
        let nulls = NullBuffer::from(vec![true, false]);
        let outer = StructArray::new(vec![field].into(), vec![inner], Some(nulls));
        let batch = RecordBatch::try_from_iter([("s", Arc::new(outer) as ArrayRef)]).unwrap();
        let schema = batch.schema();
        let leaves = leaves(schema.fields().iter().map(AsRef::as_ref));
        assert_eq!((leaves[0].name.as_str(), leaves[0].path.as_slice()), ("s.x", &[0, 0][..]));
        let values = leaf_values(batch.columns(), &leaves[0].path).unwrap();
        assert_eq!(values.as_primitive::<Int32Type>(), &Int32Array::from(vec![Some(1), None]));
    }
}
