//! Bounds of a column's values as order-preserving bytes, and their merging.
//!
//! A Parquet minimum is a lower bound; only an exact one is a value that the column contains. Numbers are converted to
//! doubles, rounded down for the lower end of a bound and up for the upper end, so every comparison stays sound.

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use parquet::basic::{ColumnOrder, ConvertedType, LogicalType, SortOrder, TimeUnit, Type};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescriptor;
use serde::{Deserialize, Serialize};

use super::key::Key;

/// A bound as bytes whose order is that of the values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// No greater than the bound.
    pub low: Key,
    /// No less than the bound.
    pub high: Key,
    /// Whether the column holds the value.
    pub exact: bool,
}

/// Bounds of the values of a column, NULL and NaN aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// No value is less.
    pub min: Bound,
    /// No value is greater.
    pub max: Bound,
}

impl Range {
    /// Merges two ranges. The smaller of two minima is exact if it is exact in its own range: it occurs, and nothing is
    /// smaller.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let min = match self.min.low.cmp(&other.min.low) {
            std::cmp::Ordering::Less => self.min,
            std::cmp::Ordering::Greater => other.min,
            std::cmp::Ordering::Equal => Bound { exact: self.min.exact || other.min.exact, ..self.min },
        };
        let max = match self.max.high.cmp(&other.max.high) {
            std::cmp::Ordering::Greater => self.max,
            std::cmp::Ordering::Less => other.max,
            std::cmp::Ordering::Equal => Bound { exact: self.max.exact || other.max.exact, ..self.max },
        };
        Self { min, max }
    }

    /// Parses one value from text and returns its bounds; `None` for a type without bounds.
    ///
    /// # Errors
    /// The text is not a value of the type.
    pub fn of_value(text: &str, data_type: &DataType) -> Result<Option<Self>> {
        use ScalarValue as S;
        let value = S::try_from_array(&super::constant::value(text, data_type)?, 0)?;
        let bound = match value {
            S::Utf8(_) => Some(same(text.as_bytes().into())),
            S::Boolean(Some(x)) => Some(same([u8::from(x)].as_slice().into())),
            S::Int8(Some(x)) => Some(whole(x.into())),
            S::Int16(Some(x)) => Some(whole(x.into())),
            S::Int32(Some(x)) => Some(whole(x.into())),
            S::Int64(Some(x)) => Some(whole(x.into())),
            S::Float32(Some(x)) => number(x.into()),
            S::Float64(Some(x)) => number(x),
            S::Decimal128(Some(x), _, scale) => Some(decimal(x, scale)),
            S::Date32(Some(x)) => Some(time(i128::from(x) * crate::kernels::canonical::DAY)),
            S::TimestampMicrosecond(Some(x), _) => Some(time(i128::from(x) * 1000)),
            _ => None,
        };
        Ok(bound.map(|bound| Self { min: bound.clone(), max: bound }))
    }

    /// The bounds of one text.
    pub fn of_text(text: &str) -> Self {
        let bound = || exact(text.as_bytes().into(), text.as_bytes().into());
        Self { min: bound(), max: bound() }
    }
}

fn exact(low: Key, high: Key) -> Bound {
    Bound { low, high, exact: true }
}

fn same(key: Key) -> Bound {
    exact(key.clone(), key)
}

/// The bounds of a column with this Arrow type in a row group; `None` if there are none that can be trusted.
///
/// `whole_texts` says that the writer never truncates texts, so that a bound not marked as exact is still a value.
pub fn range(
    stats: &Statistics,
    column: &ColumnDescriptor,
    order: ColumnOrder,
    data_type: &DataType,
    whole_texts: bool,
) -> Option<Range> {
    // The old fields are in signed order whatever the type, and an unknown order could be anything.
    if stats.is_min_max_deprecated() || order == ColumnOrder::UNKNOWN {
        return None;
    }
    let bytes = matches!(stats, Statistics::ByteArray(_) | Statistics::FixedLenByteArray(_));
    if bytes && order == ColumnOrder::UNDEFINED {
        return None;
    }
    if let ColumnOrder::TYPE_DEFINED_ORDER(SortOrder::UNDEFINED) = order {
        return None;
    }
    let (min, max) = (stats.min_bytes_opt()?, stats.max_bytes_opt()?);
    let (min_exact, max_exact) = if bytes {
        // A fixed-width value is never shortened; of texts the footer says so, or the writer is known.
        (stats.min_is_exact() || whole_texts, stats.max_is_exact() || whole_texts)
    } else {
        (true, true)
    };
    let key = |bytes: &[u8]| key(bytes, column, data_type);
    let (mut min, mut max) = (key(min)?, key(max)?);
    min.exact = min_exact;
    max.exact = max_exact;
    Some(Range { min, max })
}

fn key(bytes: &[u8], column: &ColumnDescriptor, data_type: &DataType) -> Option<Bound> {
    use DataType as T;
    let physical = column.physical_type();
    let integer = || match physical {
        Type::INT32 => Some(i64::from(i32::from_le_bytes(bytes.try_into().ok()?))),
        Type::INT64 => Some(i64::from_le_bytes(bytes.try_into().ok()?)),
        _ => None,
    };
    match data_type {
        T::Dictionary(_, value) => key(bytes, column, value),
        T::Boolean if physical == Type::BOOLEAN => Some(same(bytes.into())),
        T::Int8 | T::Int16 | T::Int32 | T::Int64 => Some(whole(integer()?.into())),
        T::UInt8 | T::UInt16 | T::UInt32 if physical == Type::INT32 => {
            Some(whole(u32::from_le_bytes(bytes.try_into().ok()?).into()))
        }
        T::UInt64 if physical == Type::INT64 => Some(whole(u64::from_le_bytes(bytes.try_into().ok()?).into())),
        T::Float32 if physical == Type::FLOAT => number(f32::from_le_bytes(bytes.try_into().ok()?).into()),
        T::Float64 if physical == Type::DOUBLE => number(f64::from_le_bytes(bytes.try_into().ok()?)),
        T::Decimal32(_, scale) | T::Decimal64(_, scale) | T::Decimal128(_, scale) => {
            let mantissa = match physical {
                Type::INT32 | Type::INT64 => integer()?.into(),
                _ => big_endian(bytes)?,
            };
            Some(decimal(mantissa, *scale))
        }
        T::Utf8 | T::LargeUtf8 | T::Utf8View if physical == Type::BYTE_ARRAY && is_text(column) => {
            Some(same(bytes.into()))
        }
        T::Binary | T::LargeBinary | T::BinaryView if physical == Type::BYTE_ARRAY && is_plain(column) => {
            Some(same(bytes.into()))
        }
        T::Date32 if physical == Type::INT32 && is_date(column) => {
            Some(time(i128::from(integer()?) * crate::kernels::canonical::DAY))
        }
        T::Timestamp(..) if physical == Type::INT64 => Some(time(i128::from(integer()?) * unit(column)?)),
        _ => None,
    }
}

fn is_plain(column: &ColumnDescriptor) -> bool {
    column.logical_type_ref().is_none() && column.converted_type() == ConvertedType::NONE
}

fn is_text(column: &ColumnDescriptor) -> bool {
    matches!(column.logical_type_ref(), Some(LogicalType::String)) || column.converted_type() == ConvertedType::UTF8
}

fn is_date(column: &ColumnDescriptor) -> bool {
    matches!(column.logical_type_ref(), Some(LogicalType::Date)) || column.converted_type() == ConvertedType::DATE
}

/// Nanoseconds of a timestamp's unit in the file, which may not be that of the Arrow type.
fn unit(column: &ColumnDescriptor) -> Option<i128> {
    let unit = match column.logical_type_ref() {
        Some(LogicalType::Timestamp(kind)) => kind.unit,
        Some(_) => return None,
        None => match column.converted_type() {
            ConvertedType::TIMESTAMP_MILLIS => TimeUnit::MILLIS,
            ConvertedType::TIMESTAMP_MICROS => TimeUnit::MICROS,
            _ => return None,
        },
    };
    Some(match unit {
        TimeUnit::MILLIS => 1_000_000,
        TimeUnit::MICROS => 1_000,
        TimeUnit::NANOS => 1,
    })
}

/// Two's complement, most significant byte first.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first()?;
    if bytes.len() > 16 {
        return None;
    }
    let mut wide = [if first >= 0x80 { 0xff } else { 0 }; 16];
    wide[16 - bytes.len()..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

fn time(nanoseconds: i128) -> Bound {
    same((nanoseconds ^ i128::MIN).to_be_bytes().as_slice().into())
}

fn whole(value: i128) -> Bound {
    decimal(value, 0)
}

/// The doubles around `mantissa / 10^scale`.
fn decimal(mantissa: i128, scale: i8) -> Bound {
    let near = mantissa as f64;
    if scale == 0 && near as i128 == mantissa && near.abs() < 1e38 {
        return same(ordered(near));
    }
    // The quotient and the power of ten are each off by half a unit at most; two steps on either side hold the value.
    let near = near / 10_f64.powi(scale.into());
    let low = near.next_down().next_down().next_down();
    let high = near.next_up().next_up().next_up();
    exact(ordered(low), ordered(high))
}

fn number(value: f64) -> Option<Bound> {
    // NaN as a bound says nothing; zero stands for both zeros.
    (!value.is_nan()).then(|| same(ordered(value + 0.0)))
}

/// A double as bytes in its order; -0 and 0 alike.
fn ordered(value: f64) -> Key {
    let bits = if value == 0.0 { 0 } else { value.to_bits() };
    let key = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    key.to_be_bytes().as_slice().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(low: i128, high: i128, exact: bool) -> Range {
        let bound = |value| Bound { exact, ..whole(value) };
        Range { min: bound(low), max: bound(high) }
    }

    #[test]
    fn the_bound_that_wins_says_whether_it_is_exact() {
        let folded = range(1, 5, true).union(range(2, 9, false));
        assert!(folded.min.exact && !folded.max.exact);
        assert_eq!((folded.min.low, folded.max.high), (whole(1).low, whole(9).high));
        let tie = range(1, 5, true).union(range(1, 5, false));
        assert!(tie.min.exact && tie.max.exact);
    }

    #[test]
    fn values_written_as_text() {
        use arrow::datatypes::TimeUnit as Unit;
        let of = |text: &str, kind: &DataType| Range::of_value(text, kind).unwrap().unwrap().min;
        assert_eq!(of("-7", &DataType::Int32), whole(-7));
        assert_eq!(of("1.50", &DataType::Decimal128(10, 2)), decimal(150, 2));
        assert_eq!(of("1970-01-02", &DataType::Date32), time(crate::kernels::canonical::DAY));
        let instant = DataType::Timestamp(Unit::Microsecond, Some("UTC".into()));
        assert_eq!(of("1970-01-01 00:00:01.5", &instant), time(1_500_000_000));
        assert_eq!(of("1970-01-01T02:00:01+02:00", &instant), time(1_000_000_000));
        assert_eq!(Range::of_value("NaN", &DataType::Float64).unwrap(), None);
        let error = Range::of_value("x", &DataType::Int32).unwrap_err().to_string();
        assert!(error.contains("`x`") && error.contains("Int32"), "{error}");
    }

    #[test]
    fn bytes_of_decimals() {
        assert_eq!(big_endian(&[0xff, 0xfe]), Some(-2));
        assert_eq!(big_endian(&[0x01, 0x00]), Some(256));
        assert_eq!(big_endian(&[0; 17]), None);
    }

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_the_values(a in any::<f64>(), b in any::<f64>()) {
            if let (Some(x), Some(y)) = (number(a), number(b)) {
                prop_assert_eq!(x.low.cmp(&y.low), a.partial_cmp(&b).unwrap());
            }
        }

        #[test]
        fn rounding_is_outward(a in any::<i64>(), scale in 0_i8..20) {
            let bound = decimal(a.into(), scale);
            prop_assert!(bound.low <= bound.high);
            // The value lies between: no neighbour within the scale is cut off.
            prop_assert!(decimal(i128::from(a) - 1, scale).low <= bound.high);
            prop_assert!(decimal(i128::from(a) + 1, scale).high >= bound.low);
            let near = ordered(a as f64 / 10_f64.powi(scale.into()));
            prop_assert!(bound.low <= near && near <= bound.high);
        }

        #[test]
        fn times_are_in_order(a in any::<i64>(), b in any::<i64>()) {
            prop_assert_eq!(time(a.into()).low.cmp(&time(b.into()).low), a.cmp(&b));
        }
    }
}
