//! Parses values from text. Type inference is strict: reading a value as the inferred type must not change its meaning.

use arrow::compute::kernels::cast_utils::{Parser, string_to_datetime};
use arrow::datatypes::{DataType, Date32Type, TimeUnit};

/// Up to this magnitude, every integer is a double.
pub(super) const EXACT: u128 = 1 << 53;

/// Parses an integer without leading zeros or plus sign into its sign and digits.
pub(super) fn whole(text: &str) -> Option<(bool, &str)> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let plain = match digits.as_bytes() {
        [b'0'] => !negative,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    plain.then_some((negative, digits))
}

/// Parses a 64-bit integer that is written as it would be printed.
pub(super) fn long(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // More digits may be too many.
    if digits.len() > 18 {
        return whole(text).and_then(|_| text.parse().ok());
    }
    match digits {
        [] => return None,
        [b'0'] => return (!negative).then_some(0),
        [b'0', ..] => return None,
        _ => {}
    }
    let mut value = 0i64;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some(if negative { -value } else { value })
}

/// The notation of a number that is not an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Real {
    /// With a decimal point, or with a signed exponent.
    Plain,
    /// `1e5`, which could be an identifier.
    BareExponent,
    /// `NaN`, `inf`, `Infinity`.
    Word,
}

/// A number that is not whole, without leading zeros or plus sign.
pub(super) fn real(text: &str) -> Option<(Real, f64)> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let bytes = unsigned.as_bytes();
    if !matches!(bytes.first(), Some(b'0'..=b'9' | b'.')) {
        let word = ["nan", "inf", "infinity"].iter().any(|word| unsigned.eq_ignore_ascii_case(word));
        return if word { text.parse().ok().map(|value| (Real::Word, value)) } else { None };
    }
    let digits = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let before = digits(0);
    if before > 1 && bytes.first() == Some(&b'0') {
        return None;
    }
    let mut at = before;
    let mut kind = Real::BareExponent;
    let mut after = 0;
    if bytes.get(at) == Some(&b'.') {
        after = digits(at + 1);
        at += 1 + after;
        kind = Real::Plain;
    }
    if before + after == 0 {
        return None;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(bytes.get(at), Some(b'+' | b'-')) {
            at += 1;
            kind = Real::Plain;
        }
        let exponent = digits(at);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    } else if kind == Real::BareExponent {
        // An integer after all: only -0 gets here.
        kind = Real::Plain;
    }
    if at != bytes.len() {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    let lost = value.is_infinite() || (value == 0.0 && mantissa(unsigned).contains(|c| matches!(c, '1'..='9')));
    if lost {
        return None;
    }
    if kind == Real::BareExponent && prints_as(value, text) {
        kind = Real::Plain;
    }
    Some((kind, value))
}

fn mantissa(unsigned: &str) -> &str {
    unsigned.split(['e', 'E']).next().unwrap_or(unsigned)
}

fn prints_as(value: f64, text: &str) -> bool {
    // Doubles of this size are printed with a bare exponent, so that a printed double is read as one.
    value.abs() >= 1e16 && format!("{value:e}") == text
}

/// Whether a double represents the integer exactly.
pub(super) fn is_exact(digits: &str) -> bool {
    digits.len() <= 16 && digits.parse::<u128>().is_ok_and(|value| value <= EXACT)
}

/// Parses a number as a double, unless that would change it.
pub(super) fn double(text: &str) -> Option<f64> {
    match whole(text) {
        Some((_, digits)) => is_exact(digits).then(|| text.parse().ok()).flatten(),
        None => real(text).map(|(_, value)| value),
    }
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.len() {
        4 if text.eq_ignore_ascii_case("true") => Some(true),
        5 if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// `2024-01-31`: days since 1970.
pub(super) fn date(text: &str) -> Option<i32> {
    let shaped = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(i, byte)| if matches!(i, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() });
    if shaped { Date32Type::parse(text) } else { None }
}

/// A timestamp of [`timestamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) unit: TimeUnit,
    pub(super) value: i64,
    /// Whether it says that it is of UTC.
    pub(super) utc: bool,
}

/// Parses `2024-01-31T10:00:00`, optionally with three, six or nine fractional digits that are not all zero, as timestamps
/// are printed. A space may replace the T, and a trailing `Z` marks UTC.
pub(super) fn timestamp(text: &str) -> Option<Time> {
    let (utc, text) = match text.strip_suffix('Z') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let bytes = text.as_bytes();
    let shaped = bytes.iter().take(19).enumerate().all(|(i, byte)| match i {
        4 | 7 => *byte == b'-',
        10 => matches!(byte, b'T' | b' '),
        13 | 16 => *byte == b':',
        _ => byte.is_ascii_digit(),
    });
    if !shaped || bytes.len() < 19 {
        return None;
    }
    let unit = match bytes.len() {
        19 | 23 | 26 => TimeUnit::Microsecond,
        29 => TimeUnit::Nanosecond,
        _ => return None,
    };
    if let Some(fraction) = text.get(19..).filter(|fraction| !fraction.is_empty()) {
        let digits = fraction.strip_prefix('.')?;
        let last = digits.get(digits.len() - 3..)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) || last == "000" {
            return None;
        }
    }
    // A leap second would be printed as the next minute.
    if text.get(17..19) == Some("60") {
        return None;
    }
    let value = string_to_datetime(&chrono::Utc, text).ok()?;
    in_unit(&value, unit).map(|value| Time { unit, value, utc })
}

pub(super) fn in_unit(value: &chrono::DateTime<impl chrono::TimeZone>, unit: TimeUnit) -> Option<i64> {
    match unit {
        TimeUnit::Second => Some(value.timestamp()),
        TimeUnit::Millisecond => Some(value.timestamp_millis()),
        TimeUnit::Microsecond => Some(value.timestamp_micros()),
        TimeUnit::Nanosecond => value.timestamp_nanos_opt(),
    }
}

/// Parses a decimal number in units of `10^-scale`, if it has no more digits than the type.
pub(super) fn decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..)?),
        Some(b'+') => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (units, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let fraction = fraction.trim_end_matches('0');
    let scale = usize::try_from(scale).ok()?;
    if unsigned.is_empty() || units.len() + fraction.len() == 0 || fraction.len() > scale {
        return None;
    }
    let mut value = 0i128;
    let zeros = std::iter::repeat_n(b'0', scale - fraction.len());
    for byte in units.bytes().chain(fraction.bytes()).chain(zeros) {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
    }
    let limit = 10i128.checked_pow(u32::from(precision))?;
    (value < limit).then_some(if negative { -value } else { value })
}

/// A type as users write it.
pub(crate) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::UInt8 => "TINYINT UNSIGNED".to_owned(),
        DataType::UInt16 => "SMALLINT UNSIGNED".to_owned(),
        DataType::UInt32 => "INT UNSIGNED".to_owned(),
        DataType::UInt64 => "BIGINT UNSIGNED".to_owned(),
        DataType::Float32 => "REAL".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Timestamp(_, None) => "TIMESTAMP".to_owned(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR".to_owned(),
        DataType::Struct(_) => "STRUCT".to_owned(),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => "ARRAY".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_written_as_they_print() {
        for text in ["0", "7", "-7", "10", "99999999999999999999999"] {
            assert!(whole(text).is_some(), "{text}");
        }
        for text in ["", "-", "-0", "007", "00", "+7", " 7", "7 ", "1_000", "1,000", "0x1F", "٣"] {
            assert!(whole(text).is_none(), "{text}");
            assert!(long(text).is_none(), "{text}");
        }
        for value in [0, 7, -7, 10, i64::MAX, i64::MIN, 999_999_999_999_999_999, -1_000_000_000_000_000_000] {
            assert_eq!(long(&value.to_string()), Some(value));
        }
        assert_eq!(long("9223372036854775808"), None);
    }

    #[test]
    fn real_numbers() {
        for text in ["1.5", "-0", "-0.5", ".5", "5.", "1e-5", "1E+5", "1.0e5", "1e16", "1.7976931348623157e308"] {
            assert_eq!(real(text).map(|(kind, _)| kind), Some(Real::Plain), "{text}");
        }
        for text in ["1e5", "12E10", "0e1"] {
            assert_eq!(real(text).map(|(kind, _)| kind), Some(Real::BareExponent), "{text}");
        }
        for text in ["NaN", "-inf", "Infinity", "nan"] {
            assert_eq!(real(text).map(|(kind, _)| kind), Some(Real::Word), "{text}");
        }
        for text in ["", ".", "-", "-.", "e5", "00.5", "+1.5", "1.5f", "1e", "1e999", "1e-999", "1.2.3", "1,5", " 1.5"]
        {
            assert_eq!(real(text), None, "{text}");
        }
        assert_eq!(double("9007199254740992"), Some(9_007_199_254_740_992.0));
        assert_eq!(double("9007199254740993"), None);
    }

    #[test]
    fn dates_and_times_only_where_they_print_the_same() {
        assert_eq!(date("1970-01-02"), Some(1));
        for text in ["2024-02-30", "2024-1-1", "24-01-01", "2024/01/01", "2024-01-01 "] {
            assert_eq!(date(text), None, "{text}");
        }
        let time = |unit, value, utc| Some(Time { unit, value, utc });
        for (text, expected) in [
            ("1970-01-01T00:00:01", time(TimeUnit::Microsecond, 1_000_000, false)),
            ("1970-01-01 00:00:01", time(TimeUnit::Microsecond, 1_000_000, false)),
            ("1970-01-01T00:00:01Z", time(TimeUnit::Microsecond, 1_000_000, true)),
            ("1970-01-01T00:00:00.250", time(TimeUnit::Microsecond, 250_000, false)),
            ("1970-01-01T00:00:00.000000001", time(TimeUnit::Nanosecond, 1, false)),
            ("1970-01-01 00:00:00.000001Z", time(TimeUnit::Microsecond, 1, true)),
        ] {
            assert_eq!(timestamp(text), expected, "{text}");
        }
        for text in [
            "1970-01-01_00:00:01",
            "1970-01-01T00:00:01 Z",
            "1970-01-01T00:00:01z",
            "1970-01-01T00:00:01.5",
            "1970-01-01T00:00:01.000",
            "1970-01-01T00:00:01+02:00",
            "1970-01-01T24:00:01",
            "1970-01-01Z",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn decimals_keep_every_digit() {
        assert_eq!(decimal("12345678901234567890", 38, 0), Some(12_345_678_901_234_567_890));
        assert_eq!(decimal("-1.50", 10, 2), Some(-150));
        assert_eq!(decimal("1.500", 10, 2), Some(150));
        for text in ["1.234", "123456789", "1e2", "", "-", ".", "1.2.3"] {
            assert_eq!(decimal(text, 8, 2), None, "{text}");
        }
    }
}
