//! Canonical encoding: the bytes of two values are equal if and only if the values are, whatever their types.
//!
//! Form 1 is a tag followed by the payload. NULL equals NULL, NaN equals NaN, and -0.0 equals 0. Numbers are compared by
//! exact value: the integer 1, the double 1.0 and the decimal 1.00 are equal; the decimal 0.1 does not equal the double
//! nearest to it. A date equals the timestamp at its midnight. Timestamps with a time zone are instants and differ from those
//! without. Texts are compared byte for byte and never equal binary values.

use super::written::spelling;

/// Version of the encodings below; recorded with everything that is stored.
pub const VERSION: u8 = 1;

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Form {
    /// By value, types of one kind widened to each other.
    #[default]
    Value,
    /// As text: 1, 1.0 and '1' are equal.
    Text,
    /// As text, but a text that spells a number, time or Boolean counts as that value: '1.0' and 1 are equal too.
    Parsed,
}

const NULL: u8 = 0;
const BOOLEAN: u8 = 1;
const INTEGER: u8 = 2;
const FLOAT: u8 = 3;
const DECIMAL: u8 = 4;
const TEXT: u8 = 5;
const BINARY: u8 = 6;
const LOCAL: u8 = 7;
const INSTANT: u8 = 8;
const TIME: u8 = 9;
const DURATION: u8 = 10;
const INTERVAL: u8 = 11;
const LIST: u8 = 12;
const STRUCT: u8 = 13;

/// Nanoseconds of a day.
pub const DAY: i128 = 86_400_000_000_000;
/// 2^127 as a float: the first that no `i128` holds.
const BEYOND: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;

/// 2^53: below it every whole number is a float.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// A point in time or a span, by the tag that tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Time {
    /// Nanoseconds since 1970-01-01 00:00 of no zone; dates too.
    Local,
    /// Nanoseconds since 1970-01-01 00:00 UTC.
    Instant,
    /// Nanoseconds since midnight.
    OfDay,
    /// A number of nanoseconds.
    Duration,
}

/// Appends NULL.
pub fn null(out: &mut Vec<u8>) {
    out.push(NULL);
}

/// Appends a truth value.
pub fn boolean(out: &mut Vec<u8>, form: Form, value: bool) {
    match form {
        Form::Value => out.extend([BOOLEAN, u8::from(value)]),
        Form::Text | Form::Parsed => text(out, if value { b"true" } else { b"false" }),
    }
}

/// Appends a whole number.
pub fn integer(out: &mut Vec<u8>, form: Form, value: i128) {
    match form {
        Form::Value => {
            out.push(INTEGER);
            out.extend(value.to_le_bytes());
        }
        Form::Text | Form::Parsed => text(out, value.to_string().as_bytes()),
    }
}

/// Appends a floating-point number.
pub fn float(out: &mut Vec<u8>, form: Form, value: f64) {
    // Beyond 2^53 texts show the shortest digits that lead back to the float, not all that it has.
    let whole = if form == Form::Parsed { WHOLE } else { BEYOND };
    if value.fract() == 0.0 && value.abs() < whole {
        return integer(out, form, value as i128);
    }
    match form {
        Form::Value => {
            let value = if value.is_nan() { f64::NAN } else { value };
            out.push(FLOAT);
            out.extend(value.to_bits().to_le_bytes());
        }
        Form::Text | Form::Parsed => text(out, value.to_string().as_bytes()),
    }
}

/// Appends `mantissa / 10^scale`.
pub fn decimal(out: &mut Vec<u8>, form: Form, mut mantissa: i128, scale: i8) {
    let mut scale = i32::from(scale);
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    while scale < 0 {
        let Some(larger) = mantissa.checked_mul(10) else { break };
        mantissa = larger;
        scale += 1;
    }
    if scale == 0 || mantissa == 0 {
        return integer(out, form, mantissa);
    }
    match form {
        Form::Value => match as_float(mantissa, scale) {
            Some(value) => float(out, form, value),
            None => {
                out.push(DECIMAL);
                out.extend(mantissa.to_le_bytes());
                out.extend(scale.to_le_bytes());
            }
        },
        Form::Text | Form::Parsed => text(out, decimal_text(mantissa, scale).as_bytes()),
    }
}

/// Appends a decimal too wide for 128 bits: its little-endian bytes without trailing decimal zeros, and its scale.
pub fn wide_decimal(out: &mut Vec<u8>, form: Form, mantissa: &[u8], scale: i8, shown: &str) {
    match form {
        Form::Value => {
            out.push(DECIMAL);
            out.extend(mantissa);
            out.extend(i32::from(scale).to_le_bytes());
        }
        Form::Text | Form::Parsed => text(out, shown.as_bytes()),
    }
}

/// The float that is exactly `mantissa / 10^scale`, if there is one.
fn as_float(mantissa: i128, scale: i32) -> Option<f64> {
    let fives = 5_i128.checked_pow(u32::try_from(scale).ok()?)?;
    if mantissa % fives != 0 {
        return None;
    }
    let odd = mantissa / fives;
    (odd.unsigned_abs() < 1 << 53).then(|| odd as f64 * 2_f64.powi(-scale))
}

fn decimal_text(mantissa: i128, scale: i32) -> String {
    if scale < 0 {
        return format!("{mantissa}{}", "0".repeat(scale.unsigned_abs() as usize));
    }
    let digits = format!("{:0>width$}", mantissa.unsigned_abs(), width = scale as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
    format!("{}{whole}.{fraction}", if mantissa < 0 { "-" } else { "" })
}

/// Appends a text.
pub fn text(out: &mut Vec<u8>, value: &[u8]) {
    out.push(TEXT);
    out.extend(value);
}

/// Appends the text of a column.
pub fn string(out: &mut Vec<u8>, form: Form, value: &[u8]) {
    if form == Form::Parsed
        && let Ok(value) = std::str::from_utf8(value)
        && let Some(spelling) = spelling(value)
    {
        return text(out, spelling.as_bytes());
    }
    text(out, value);
}

/// Appends bytes.
pub fn binary(out: &mut Vec<u8>, value: &[u8]) {
    out.push(BINARY);
    out.extend(value);
}

/// Appends a time in nanoseconds.
pub fn time(out: &mut Vec<u8>, form: Form, kind: Time, nanoseconds: i128) {
    match form {
        Form::Value => {
            out.push(match kind {
                Time::Local => LOCAL,
                Time::Instant => INSTANT,
                Time::OfDay => TIME,
                Time::Duration => DURATION,
            });
            out.extend(nanoseconds.to_le_bytes());
        }
        Form::Text | Form::Parsed => text(out, time_text(kind, nanoseconds).as_bytes()),
    }
}

/// Appends an interval, whose parts do not convert into each other.
pub fn interval(out: &mut Vec<u8>, form: Form, months: i32, days: i32, nanoseconds: i64) {
    match form {
        Form::Value => {
            out.push(INTERVAL);
            out.extend(months.to_le_bytes());
            out.extend(days.to_le_bytes());
            out.extend(nanoseconds.to_le_bytes());
        }
        Form::Text | Form::Parsed => text(out, format!("{months} months {days} days {nanoseconds} ns").as_bytes()),
    }
}

/// Begins a list of `length` items; each follows through [`item`].
pub fn list(out: &mut Vec<u8>, length: usize) {
    out.push(LIST);
    out.extend((length as u64).to_le_bytes());
}

/// Begins a struct of `length` fields; name and value of each follow through [`item`].
pub fn structure(out: &mut Vec<u8>, length: usize) {
    out.push(STRUCT);
    out.extend((length as u64).to_le_bytes());
}

/// Appends one value inside another, with its length, so that no two different lists have the same bytes.
pub fn item(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend(0_u32.to_le_bytes());
    write(out);
    // Values beyond 4 GiB wrap, alike on both sides.
    let length = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

fn time_text(kind: Time, nanoseconds: i128) -> String {
    let (days, of_day) = (nanoseconds.div_euclid(DAY), nanoseconds.rem_euclid(DAY));
    let clock = || {
        let seconds = of_day / 1_000_000_000;
        let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        match of_day % 1_000_000_000 {
            0 => clock,
            fraction => format!("{clock}.{}", format!("{fraction:09}").trim_end_matches('0')),
        }
    };
    match kind {
        Time::OfDay => clock(),
        Time::Duration => format!("{nanoseconds} ns"),
        Time::Local | Time::Instant => {
            let date = date_text(days);
            let zone = if kind == Time::Instant { "Z" } else { "" };
            if of_day == 0 && zone.is_empty() { date } else { format!("{date} {}{zone}", clock()) }
        }
    }
}

/// Day number since 1970-01-01 as year-month-day of the Gregorian calendar (Hinnant, chrono-compatible low-level date
/// algorithms: eras of 400 years that begin in March).
fn date_text(days: i128) -> String {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i128::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = vec![];
        write(&mut out);
        out
    }

    fn shown(write: impl FnOnce(&mut Vec<u8>)) -> String {
        String::from_utf8(bytes(write)[1..].to_vec()).unwrap()
    }

    #[test]
    fn numbers_are_equal_by_value() {
        let form = Form::Value;
        let one = bytes(|o| integer(o, form, 1));
        assert_eq!(one, bytes(|o| float(o, form, 1.0)));
        assert_eq!(one, bytes(|o| decimal(o, form, 100, 2)));
        assert_eq!(bytes(|o| decimal(o, form, 5, -2)), bytes(|o| integer(o, form, 500)));
        assert_eq!(bytes(|o| float(o, form, -0.0)), bytes(|o| integer(o, form, 0)));
        assert_eq!(bytes(|o| float(o, form, -f64::NAN)), bytes(|o| float(o, form, f64::NAN)));
        assert_eq!(bytes(|o| decimal(o, form, 5, 1)), bytes(|o| float(o, form, 0.5)));
        assert_eq!(bytes(|o| decimal(o, form, -3125, 4)), bytes(|o| float(o, form, -0.3125)));
        assert_ne!(bytes(|o| decimal(o, form, 1, 1)), bytes(|o| float(o, form, 0.1)));
        assert_ne!(bytes(|o| float(o, form, f64::INFINITY)), bytes(|o| float(o, form, f64::NEG_INFINITY)));
        assert_ne!(bytes(|o| float(o, form, 2e200)), bytes(|o| float(o, form, 3e200)));
        assert_ne!(one, bytes(|o| boolean(o, form, true)));
        assert_ne!(bytes(|o| text(o, b"1")), bytes(|o| binary(o, b"1")));
    }

    #[test]
    fn texts_are_those_people_write() {
        let form = Form::Text;
        for (written, expected) in [
            (shown(|o| integer(o, form, -7)), "-7"),
            (shown(|o| float(o, form, 2.0)), "2"),
            (shown(|o| float(o, form, 0.1)), "0.1"),
            (shown(|o| decimal(o, form, -1050, 3)), "-1.05"),
            (shown(|o| decimal(o, form, 5, 3)), "0.005"),
            (shown(|o| boolean(o, form, true)), "true"),
            (shown(|o| time(o, form, Time::Local, 0)), "1970-01-01"),
            (shown(|o| time(o, form, Time::Local, -DAY)), "1969-12-31"),
            (shown(|o| time(o, form, Time::Local, 19_782 * DAY)), "2024-02-29"),
            (shown(|o| time(o, form, Time::Local, 19_783 * DAY + 3_723_500_000_000)), "2024-03-01 01:02:03.5"),
            (shown(|o| time(o, form, Time::Instant, 0)), "1970-01-01 00:00:00Z"),
            (shown(|o| time(o, form, Time::OfDay, 1_000)), "00:00:00.000001"),
        ] {
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn nesting_keeps_borders() {
        let of = |items: &[&str]| {
            bytes(|out| {
                list(out, items.len());
                for text in items {
                    item(out, |out| super::text(out, text.as_bytes()));
                }
            })
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["a"]), of(&["a", ""]));
    }

    proptest! {
        #[test]
        fn decimals_meet_floats_exactly_where_they_are_equal(mantissa in -1_000_000_i64..1_000_000, scale in 0_i8..7) {
            let mantissa = i128::from(mantissa);
            let value = mantissa as f64 / 10_f64.powi(scale.into());
            // The nearest double times a power of two is whole only where the decimal is dyadic.
            let dyadic = mantissa % 5_i128.pow(scale as u32) == 0;
            let same = bytes(|o| decimal(o, Form::Value, mantissa, scale)) == bytes(|o| float(o, Form::Value, value));
            prop_assert_eq!(same, dyadic);
        }

        #[test]
        fn trailing_zeros_do_not_show(mantissa in any::<i32>(), zeros in 0_u32..10, scale in -5_i8..5) {
            for form in [Form::Value, Form::Text] {
                let plain = bytes(|o| decimal(o, form, mantissa.into(), scale));
                let padded = i128::from(mantissa) * 10_i128.pow(zeros);
                prop_assert_eq!(plain, bytes(|o| decimal(o, form, padded, scale + zeros as i8)));
            }
        }
    }
}
