//! What the values of a column show of its type. Types widen and never lose anything:
//!
//! | values | type |
//! |---|---|
//! | none but NULL | VARCHAR |
//! | `true`, `false` | BOOLEAN |
//! | whole numbers | BIGINT; from 2^63 on BIGINT UNSIGNED; beyond DECIMAL(38, 0); of more digits VARCHAR |
//! | numbers, some not whole | DOUBLE, if it holds every whole one exactly; else VARCHAR |
//! | ISO dates; ISO timestamps; those that end with Z | DATE; TIMESTAMP; TIMESTAMP WITH TIME ZONE |
//! | objects; arrays | STRUCT by name; ARRAY |
//! | anything else, and any mixture | VARCHAR with the text as it stands in the file |

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field, FieldRef, Fields as ArrowFields, TimeUnit};

use super::UTC;
use super::values::{Real, Time, boolean, date, is_exact, real, timestamp, whole};

const BOOL: u32 = 1;
/// Whole numbers of 64 bits.
const INT: u32 = 1 << 1;
const NEGATIVE: u32 = 1 << 2;
/// Integers from 2^63 to 2^64 - 1.
const UNSIGNED: u32 = 1 << 3;
/// Larger integers, with at most 38 digits.
const WIDE: u32 = 1 << 4;
/// Integers that a double cannot represent.
const INEXACT: u32 = 1 << 5;
const REAL: u32 = 1 << 6;
const BARE_EXPONENT: u32 = 1 << 7;
const NOT_A_NUMBER: u32 = 1 << 8;
const DATE: u32 = 1 << 9;
const TIMESTAMP: u32 = 1 << 10;
const OBJECT: u32 = 1 << 11;
const LIST: u32 = 1 << 12;
const TEXT: u32 = 1 << 13;
/// Timestamps with nine fractional digits.
const NANOSECONDS: u32 = 1 << 14;
/// Timestamps out of range of 64-bit nanoseconds.
const FAR: u32 = 1 << 15;
/// Timestamps marked as UTC, and those that are not.
const UTC_TIME: u32 = 1 << 16;
const LOCAL_TIME: u32 = 1 << 17;
/// Flags that only qualify a kind of value.
const DETAILS: u32 = NEGATIVE | INEXACT | NANOSECONDS | FAR | UTC_TIME | LOCAL_TIME;

/// Objects with more distinct keys are read as text, since their keys are data.
const MAX_FIELDS: usize = 1000;

/// Observations about the values of a column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    flags: u32,
    object: Option<Box<Fields>>,
    list: Option<Box<Observed>>,
}

impl Observed {
    /// A field of a CSV record that is not NULL.
    pub(crate) fn csv(&mut self, text: &str) {
        if self.flags & TEXT == 0 {
            self.classify(text);
        }
    }

    fn classify(&mut self, text: &str) {
        let flags = match text.as_bytes() {
            [] => TEXT,
            [b'-' | b'.' | b'0'..=b'9', ..] => match whole(text) {
                Some((negative, digits)) => whole_flags(negative, digits),
                None => match real(text) {
                    Some((Real::Plain, _)) => REAL,
                    Some((Real::BareExponent, _)) => BARE_EXPONENT,
                    Some((Real::Word, _)) => NOT_A_NUMBER,
                    None if date(text).is_some() => DATE,
                    None => match timestamp(text) {
                        Some(time) => time_flags(time, text),
                        None => TEXT,
                    },
                },
            },
            _ if boolean(text).is_some() => BOOL,
            _ if real(text).is_some() => NOT_A_NUMBER,
            _ => TEXT,
        };
        self.flags |= flags;
    }

    /// A number of JSON.
    pub(crate) fn number(&mut self, token: &str) {
        self.flags |= match whole(token) {
            Some((negative, digits)) => whole_flags(negative, digits),
            None if real(token).is_some() => REAL,
            None => TEXT,
        };
    }

    /// `true` or `false` of JSON.
    pub(crate) fn boolean(&mut self) {
        self.flags |= BOOL;
    }

    /// A string of JSON.
    pub(crate) fn string(&mut self) {
        self.flags |= TEXT;
    }

    /// An object of JSON; `None` once the column is text anyway.
    pub(crate) fn object(&mut self) -> Option<&mut Fields> {
        self.flags |= OBJECT;
        if self.is_text() {
            return None;
        }
        if self.object.as_ref().is_some_and(|fields| fields.len() > MAX_FIELDS) {
            self.flags |= TEXT;
            return None;
        }
        Some(self.object.get_or_insert_default())
    }

    /// An array of JSON; `None` once the column is text anyway.
    pub(crate) fn list(&mut self) -> Option<&mut Observed> {
        self.flags |= LIST;
        if self.is_text() { None } else { Some(self.list.get_or_insert_default()) }
    }

    fn is_text(&self) -> bool {
        let kinds = self.flags & !DETAILS;
        (kinds & (OBJECT | LIST) != 0) && !matches!(kinds, OBJECT | LIST)
    }

    /// Adds what was seen elsewhere.
    pub(crate) fn merge(&mut self, other: Self) {
        self.flags |= other.flags;
        if let Some(theirs) = other.object {
            match &mut self.object {
                Some(ours) => ours.merge(*theirs),
                None => self.object = Some(theirs),
            }
        }
        if let Some(theirs) = other.list {
            match &mut self.list {
                Some(ours) => ours.merge(*theirs),
                None => self.list = Some(theirs),
            }
        }
    }

    /// Whether anything but NULL was seen.
    pub(crate) fn is_typed(&self) -> bool {
        self.flags & !TEXT != 0 && !matches!(self.data_type(&DataType::Utf8), DataType::Utf8)
    }

    /// The type that holds all that was seen; `text` is that of text.
    pub(crate) fn data_type(&self, text: &DataType) -> DataType {
        let kinds = self.flags & !DETAILS;
        let only = |allowed: u32| kinds != 0 && kinds & !allowed == 0;
        let whole = INT | UNSIGNED | WIDE;
        match () {
            () if only(BOOL) => DataType::Boolean,
            () if only(INT) => DataType::Int64,
            () if only(INT | UNSIGNED) && self.flags & NEGATIVE == 0 => DataType::UInt64,
            () if only(whole) => DataType::Decimal128(38, 0),
            () if only(whole | REAL | NOT_A_NUMBER | BARE_EXPONENT)
                && kinds & REAL != 0
                && self.flags & INEXACT == 0 =>
            {
                DataType::Float64
            }
            () if only(DATE) => DataType::Date32,
            () if only(TIMESTAMP) => {
                let zone = match self.flags & (UTC_TIME | LOCAL_TIME) {
                    UTC_TIME => Some(UTC.into()),
                    LOCAL_TIME => None,
                    _ => return text.clone(),
                };
                match self.flags & (NANOSECONDS | FAR) {
                    0 | FAR => DataType::Timestamp(TimeUnit::Microsecond, zone),
                    NANOSECONDS => DataType::Timestamp(TimeUnit::Nanosecond, zone),
                    _ => text.clone(),
                }
            }
            () if only(OBJECT) => {
                match self.object.as_ref().filter(|fields| (1..=MAX_FIELDS).contains(&fields.len())) {
                    Some(fields) => DataType::Struct(fields.arrow(text)),
                    None => text.clone(),
                }
            }
            () if only(LIST) => {
                let item = self.list.as_ref().map_or_else(|| text.clone(), |item| item.data_type(text));
                DataType::List(Field::new_list_field(item, true).into())
            }
            () => text.clone(),
        }
    }
}

fn time_flags(time: Time, text: &str) -> u32 {
    let zone = if time.utc { UTC_TIME } else { LOCAL_TIME };
    let detail = match time.unit {
        TimeUnit::Nanosecond => NANOSECONDS,
        _ if text.get(..4).is_some_and(|year| ("1678".."2262").contains(&year)) => 0,
        _ => FAR,
    };
    TIMESTAMP | zone | detail
}

fn whole_flags(negative: bool, digits: &str) -> u32 {
    let sign = if negative { NEGATIVE } else { 0 };
    let exact = if is_exact(digits) { 0 } else { INEXACT };
    let size = match digits.len() {
        0..=18 => INT,
        39.. => TEXT,
        _ => match digits.parse::<u128>() {
            Ok(value) if value <= i64::MAX as u128 + u128::from(negative) => INT,
            Ok(value) if value <= u128::from(u64::MAX) && !negative => UNSIGNED,
            _ => WIDE,
        },
    };
    sign | exact | size
}

/// Columns by name, in the order in which they were first seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    columns: Vec<(String, Observed)>,
    index: HashMap<String, usize>,
    /// The object in which each column was seen last.
    seen: Vec<u64>,
    objects: u64,
}

impl Fields {
    pub(crate) fn len(&self) -> usize {
        self.columns.len()
    }

    /// Begins an object.
    pub(crate) fn begin(&mut self) {
        self.objects += 1;
    }

    /// Whether the column at `place` was seen in this object before.
    pub(crate) fn again(&mut self, place: usize) -> bool {
        self.seen.get_mut(place).is_some_and(|last| std::mem::replace(last, self.objects) == self.objects)
    }

    /// Place of `name`, which is probably `guess`. A new name is added.
    pub(crate) fn place(&mut self, name: &str, guess: usize) -> usize {
        if self.columns.get(guess).is_some_and(|(column, _)| column == name) {
            return guess;
        }
        if let Some(&place) = self.index.get(name) {
            return place;
        }
        let place = self.columns.len();
        self.columns.push((name.to_owned(), Observed::default()));
        self.seen.push(0);
        self.index.insert(name.to_owned(), place);
        place
    }

    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut Observed> {
        self.columns.get_mut(place).map(|(_, observed)| observed)
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (i, (name, observed)) in other.columns.into_iter().enumerate() {
            let place = self.place(&name, i);
            if let Some(ours) = self.get_mut(place) {
                ours.merge(observed);
            }
        }
    }

    pub(crate) fn arrow(&self, text: &DataType) -> ArrowFields {
        let field = |(name, observed): &(String, Observed)| -> FieldRef {
            Field::new(name, observed.data_type(text), true).into()
        };
        self.columns.iter().map(field).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(values: &[&str]) -> DataType {
        let mut observed = Observed::default();
        values.iter().for_each(|value| observed.csv(value));
        // The result does not depend on the order of values, nor on how they were split.
        let mut merged = Observed::default();
        for value in values.iter().rev() {
            let mut one = Observed::default();
            one.csv(value);
            merged.merge(one);
        }
        let found = observed.data_type(&DataType::Utf8);
        assert_eq!(merged.data_type(&DataType::Utf8), found, "{values:?}");
        found
    }

    #[test]
    fn types_widen_without_loss() {
        use DataType as T;
        for (values, expected) in [
            (&[][..], T::Utf8),
            (&["true", "FALSE"], T::Boolean),
            (&["true", "1"], T::Utf8),
            (&["1", "-9223372036854775808"], T::Int64),
            (&["1", "9223372036854775808"], T::UInt64),
            (&["-1", "9223372036854775808"], T::Decimal128(38, 0)),
            (&["18446744073709551616"], T::Decimal128(38, 0)),
            (&["1", "123456789012345678901234567890123456789"], T::Utf8),
            (&["1", "1.5"], T::Float64),
            (&["9007199254740992", "1.5"], T::Float64),
            (&["9007199254740993", "1.5"], T::Utf8),
            (&["1", "NaN"], T::Utf8),
            (&["1.5", "NaN", "2"], T::Float64),
            (&["NaN", "inf"], T::Utf8),
            (&["1e5", "2e7"], T::Utf8),
            (&["1e5", "3"], T::Utf8),
            (&["1e5", "2.5"], T::Float64),
            (&["1e16"], T::Float64),
            (&["007", "7"], T::Utf8),
            (&["1", "a2"], T::Utf8),
            (&["2024-01-31"], T::Date32),
            (&["2024-01-31", "2024-01-31T00:00:00"], T::Utf8),
            (&["2024-01-31T00:00:00", "2024-01-31T00:00:00.123456"], T::Timestamp(TimeUnit::Microsecond, None)),
            (&["9024-01-31T00:00:00"], T::Timestamp(TimeUnit::Microsecond, None)),
            (&["9024-01-31T00:00:00", "2024-01-31T00:00:00.123456789"], T::Utf8),
            (&["2024-01-31 00:00:00", "2024-01-31T00:00:00"], T::Timestamp(TimeUnit::Microsecond, None)),
            (&["2024-01-31 00:00:00Z"], T::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))),
            (&["2024-01-31 00:00:00Z", "2024-01-31T00:00:00"], T::Utf8),
            (&["2024-01-31T00:00:00+02:00"], T::Utf8),
        ] {
            assert_eq!(csv(values), expected, "{values:?}");
        }
    }
}
