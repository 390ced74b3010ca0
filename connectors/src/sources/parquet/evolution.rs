//! Merges columns of several files into one table: matched by name, widened without loss.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::compute::can_cast_types;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use datafusion::common::{Result, plan_err};
use parquet::file::metadata::ParquetMetaData;

use super::statistics::integers_fit_floats;

/// The columns of one file.
pub struct FileColumns {
    /// The file, as its user would write it.
    pub path: String,
    /// Its columns.
    pub schema: SchemaRef,
    /// Columns of 64-bit integers for which the footer does not prove that floats hold them exactly.
    pub large: Vec<String>,
}

impl FileColumns {
    /// What is kept of a file's footer.
    pub fn new(path: String, schema: SchemaRef, footer: &ParquetMetaData) -> Self {
        let wide =
            schema.fields().iter().filter(|field| matches!(field.data_type(), DataType::Int64 | DataType::UInt64));
        let large = wide.map(|field| field.name()).filter(|name| !integers_fit_floats(footer, name)).cloned().collect();
        Self { path, schema, large }
    }
}

/// A column of the table so far.
struct Column<'a> {
    field: Field,
    /// The file that determined the type of the column.
    path: &'a str,
    files: usize,
}

/// Merges the columns of these files, in order of first appearance. A column missing from a file reads as NULL there.
///
/// # Errors
/// No type holds all values of a column without loss. The error names the column, both files and both types.
pub fn merge(files: &[FileColumns]) -> Result<Schema> {
    let mut columns: Vec<Column<'_>> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files {
        for field in file.schema.fields() {
            let Some(&place) = places.get(field.name().as_str()) else {
                places.insert(field.name(), columns.len());
                let field = field.as_ref().clone().with_metadata(Default::default());
                columns.push(Column { field, path: &file.path, files: 1 });
                continue;
            };
            let column = &mut columns[place];
            column.files += 1;
            let nullable = column.field.is_nullable() || field.is_nullable();
            let (before, here) = (column.field.data_type(), field.data_type());
            let Some(both) = unify(before, here) else {
                return plan_err!(
                    "the columns of {} do not fit those of {}: `{}` is {here} in one and {before} in the other; read them \
                     apart and CAST one of them",
                    file.path,
                    column.path,
                    field.name()
                );
            };
            if both != *before {
                column.path = &file.path;
            }
            column.field = column.field.clone().with_data_type(both).with_nullable(nullable);
        }
    }
    for column in &mut columns {
        if column.files < files.len() {
            column.field.set_nullable(true);
        }
        check_integers(column, files)?;
    }
    warn_of_case(files, &places);
    Ok(Schema::new(columns.into_iter().map(|column| column.field).collect::<Vec<_>>()))
}

/// Checks that a float column only absorbs 64-bit integers if footers prove that floats hold them exactly.
fn check_integers(column: &Column<'_>, files: &[FileColumns]) -> Result<()> {
    if !column.field.data_type().is_floating() {
        return Ok(());
    }
    let name = column.field.name();
    let Some(file) = files.iter().find(|file| file.large.contains(name)) else { return Ok(()) };
    let is_float =
        |file: &&FileColumns| file.schema.field_with_name(name).is_ok_and(|field| field.data_type().is_floating());
    let other = files.iter().find(is_float).map_or("another file", |file| file.path.as_str());
    plan_err!(
        "the columns of {} do not fit those of {other}: `{name}` is an integer of 64 bits in one and a floating-point number \
         in the other, and some of the integers may be beyond 2^53, which floats do not hold exactly; read them apart and \
         CAST one of them",
        file.path
    )
}

/// Columns whose names differ only in case are distinct. If that happens only between files, it may be a mistake, so warns.
fn warn_of_case(files: &[FileColumns], places: &BTreeMap<&str, usize>) {
    let mut folded: BTreeMap<String, &str> = BTreeMap::new();
    for name in places.keys() {
        let Some(other) = folded.insert(name.to_lowercase(), name) else { continue };
        let has = |file: &&FileColumns, name: &str| file.schema.index_of(name).is_ok();
        if files.iter().any(|file| has(&file, name) && has(&file, other)) {
            continue;
        }
        let path = |name: &str| files.iter().find(|file| has(file, name)).map_or("?", |file| file.path.as_str());
        log::warn!(
            "`{other}` (in {}) and `{name}` (in {}) differ only in case: they are two columns",
            path(other),
            path(name)
        );
    }
}

/// The type that holds the values of both without loss. 64-bit integers among floats are checked separately.
pub fn unify(a: &DataType, b: &DataType) -> Option<DataType> {
    if a == b {
        return Some(a.clone());
    }
    let both = widen(a, b)?;
    let castable = |from: &DataType| *from == both || has_struct(from) || can_cast_types(from, &both);
    (castable(a) && castable(b)).then_some(both)
}

fn has_struct(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(_) => true,
        DataType::List(item) | DataType::LargeList(item) => has_struct(item.data_type()),
        _ => false,
    }
}

fn widen(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType as T;
    Some(match (a, b) {
        (T::Null, other) | (other, T::Null) => other.clone(),
        (T::Dictionary(_, value), other) | (other, T::Dictionary(_, value)) => nested(value, other)?,
        _ if a.is_string() && b.is_string() => match *a == T::Utf8View || *b == T::Utf8View {
            true => T::Utf8View,
            false => T::LargeUtf8,
        },
        _ if is_binary(a) && is_binary(b) => match *a == T::BinaryView || *b == T::BinaryView {
            true => T::BinaryView,
            false => T::LargeBinary,
        },
        _ if a.is_floating() && b.is_floating() => T::Float64,
        _ if (a.is_integer() && b.is_floating()) || (a.is_floating() && b.is_integer()) => T::Float64,
        _ if a.is_integer() && b.is_integer() => integers(a, b),
        _ if digits(a).is_some() && digits(b).is_some() => decimal(digits(a)?, digits(b)?)?,
        (T::Time32(x) | T::Time64(x), T::Time32(y) | T::Time64(y)) => match finer(*x, *y) {
            unit @ (TimeUnit::Second | TimeUnit::Millisecond) => T::Time32(unit),
            unit => T::Time64(unit),
        },
        (T::Duration(x), T::Duration(y)) => T::Duration(finer(*x, *y)),
        (T::Timestamp(x, None), T::Timestamp(y, None)) => T::Timestamp(finer(*x, *y), None),
        (T::Timestamp(x, Some(one)), T::Timestamp(y, Some(other))) => {
            let zone = if one == other { Arc::clone(one) } else { Arc::from("UTC") };
            T::Timestamp(finer(*x, *y), Some(zone))
        }
        (T::Struct(x), T::Struct(y)) => T::Struct(structure(x, y)?),
        (T::List(x), T::List(y)) => T::List(item(x, y)?),
        (T::LargeList(x), T::LargeList(y)) => T::LargeList(item(x, y)?),
        (T::List(x), T::LargeList(y)) | (T::LargeList(x), T::List(y)) if !has_struct(x.data_type()) => {
            T::LargeList(item(x, y)?)
        }
        _ => return None,
    })
}

fn is_binary(data_type: &DataType) -> bool {
    use DataType as T;
    matches!(data_type, T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_))
}

/// The integer that holds both, or the decimal where none does.
fn integers(a: &DataType, b: &DataType) -> DataType {
    use DataType as T;
    let unsigned = |x: &DataType| matches!(x, T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64);
    let widest = a.primitive_width().max(b.primitive_width());
    match (unsigned(a), unsigned(b), widest) {
        (true, true, Some(8)) => T::UInt64,
        (true, true, _) => T::UInt32,
        (false, false, Some(8)) => T::Int64,
        (false, false, _) => T::Int32,
        _ if *a == T::UInt64 || *b == T::UInt64 => T::Decimal128(20, 0),
        _ => T::Int64,
    }
}

/// Digits before and after the point.
fn digits(data_type: &DataType) -> Option<(u8, i8)> {
    use DataType as T;
    Some(match data_type {
        T::Decimal32(precision, scale)
        | T::Decimal64(precision, scale)
        | T::Decimal128(precision, scale)
        | T::Decimal256(precision, scale) => (precision.checked_add_signed(scale.checked_neg()?)?, *scale),
        T::Int8 | T::UInt8 => (3, 0),
        T::Int16 | T::UInt16 => (5, 0),
        T::Int32 | T::UInt32 => (10, 0),
        T::Int64 | T::UInt64 => (20, 0),
        _ => return None,
    })
}

fn decimal(a: (u8, i8), b: (u8, i8)) -> Option<DataType> {
    let scale = a.1.max(b.1);
    match a.0.max(b.0).checked_add_signed(scale)? {
        precision @ ..=38 => Some(DataType::Decimal128(precision, scale)),
        precision @ ..=76 => Some(DataType::Decimal256(precision, scale)),
        _ => None,
    }
}

fn finer(a: TimeUnit, b: TimeUnit) -> TimeUnit {
    a.max(b)
}

fn item(a: &FieldRef, b: &FieldRef) -> Option<FieldRef> {
    let both = nested(a.data_type(), b.data_type())?;
    Some(Arc::new(a.as_ref().clone().with_data_type(both).with_nullable(a.is_nullable() || b.is_nullable())))
}

/// Fields of both by name; one that only one struct has is NULL in the other.
fn structure(a: &Fields, b: &Fields) -> Option<Fields> {
    let mut fields = Vec::new();
    for field in a {
        fields.push(match b.find(field.name()) {
            Some((_, other)) => item(field, other)?,
            None => Arc::new(field.as_ref().clone().with_nullable(true)),
        });
    }
    let added = b.iter().filter(|field| a.find(field.name()).is_none());
    fields.extend(added.map(|field| Arc::new(field.as_ref().clone().with_nullable(true))));
    Some(fields.into())
}

/// Like [`unify`], but without 64-bit integers among floats: footers only prove for whole columns that they fit.
fn nested(a: &DataType, b: &DataType) -> Option<DataType> {
    let wide = |x: &DataType| matches!(x, DataType::Int64 | DataType::UInt64);
    if (wide(a) && b.is_floating()) || (a.is_floating() && wide(b)) {
        return None;
    }
    unify(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_widen_without_loss() {
        use DataType as T;
        let dictionary = T::Dictionary(Box::new(T::Int32), Box::new(T::Utf8));
        for (a, b, both) in [
            (T::Int32, T::Int64, Some(T::Int64)),
            (T::Int8, T::UInt32, Some(T::Int64)),
            (T::Int64, T::UInt64, Some(T::Decimal128(20, 0))),
            (T::UInt16, T::UInt64, Some(T::UInt64)),
            (T::Int32, T::Float64, Some(T::Float64)),
            (T::Float32, T::Float64, Some(T::Float64)),
            (T::Utf8, T::LargeUtf8, Some(T::LargeUtf8)),
            (dictionary.clone(), T::Utf8View, Some(T::Utf8View)),
            (dictionary, T::Int64, None),
            (T::Null, T::Date32, Some(T::Date32)),
            (T::Decimal128(10, 2), T::Decimal128(12, 4), Some(T::Decimal128(12, 4))),
            (T::Decimal128(10, 2), T::Decimal128(10, 4), Some(T::Decimal128(12, 4))),
            (T::Decimal128(38, 2), T::Decimal128(38, 4), Some(T::Decimal256(40, 4))),
            (T::Decimal128(10, 2), T::Int64, Some(T::Decimal128(22, 2))),
            (T::Decimal128(10, 2), T::Float64, None),
            (T::Binary, T::FixedSizeBinary(4), Some(T::LargeBinary)),
            (T::Utf8, T::Int64, None),
            (T::Date32, T::Int64, None),
            (T::Boolean, T::Int32, None),
            (
                T::Timestamp(TimeUnit::Millisecond, None),
                T::Timestamp(TimeUnit::Microsecond, None),
                Some(T::Timestamp(TimeUnit::Microsecond, None)),
            ),
            (T::Timestamp(TimeUnit::Second, None), T::Timestamp(TimeUnit::Second, Some("UTC".into())), None),
        ] {
            assert_eq!(unify(&a, &b), both, "{a} and {b}");
            assert_eq!(unify(&b, &a), both, "{b} and {a}");
        }
    }

    #[test]
    fn structs_meet_by_name() {
        let of = |fields: &[(&str, DataType)]| {
            let fields = fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), false));
            DataType::Struct(fields.collect())
        };
        let both = unify(
            &of(&[("x", DataType::Int32), ("y", DataType::Utf8)]),
            &of(&[("z", DataType::Boolean), ("x", DataType::Int64)]),
        );
        let DataType::Struct(fields) = both.unwrap() else { panic!("no struct") };
        let shown: Vec<_> =
            fields.iter().map(|f| (f.name().as_str(), f.data_type().clone(), f.is_nullable())).collect();
        let expected = [("x", DataType::Int64, false), ("y", DataType::Utf8, true), ("z", DataType::Boolean, true)];
        assert_eq!(shown, expected);
        assert_eq!(unify(&of(&[("x", DataType::Int64)]), &of(&[("x", DataType::Float64)])), None);
    }
}
