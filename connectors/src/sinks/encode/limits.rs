//! Limits of formats. They are checked before the first byte is written if the columns tell, otherwise at the value.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, Fields, Float16Type, Float32Type, Float64Type, Schema, TimeUnit};
use arrow::temporal_conversions::{date32_to_datetime, date64_to_datetime, timestamp_ms_to_datetime};
use datafusion::common::{Result, exec_err, plan_err};

use super::WriteFormat;

/// Checks that files of `format` can hold columns of `schema`.
///
/// # Errors
/// Two columns have the same name, a column has no name, or the format has no form for a type.
pub fn check_columns(format: WriteFormat, schema: &Schema) -> Result<()> {
    check_names(schema.fields())?;
    for field in schema.fields() {
        match format {
            WriteFormat::Parquet => {}
            WriteFormat::Csv | WriteFormat::Tsv => check_flat(format, field)?,
            WriteFormat::Json | WriteFormat::JsonLines => check_json(field.name(), field.data_type())?,
        }
    }
    Ok(())
}

/// Readers distinguish columns by their names.
pub(super) fn check_names(fields: &Fields) -> Result<()> {
    let mut seen = HashSet::new();
    for (at, field) in fields.iter().enumerate() {
        if field.name().is_empty() {
            return plan_err!("column {} of the result has no name; give it one with AS", at + 1);
        }
        if !seen.insert(field.name()) {
            return plan_err!("the result has two columns named `{}`; give one another name with AS", field.name());
        }
    }
    Ok(())
}

fn check_flat(format: WriteFormat, field: &Field) -> Result<()> {
    let (name, format) = (field.name(), format.ending().to_uppercase());
    match value_type(field.data_type()) {
        data_type if data_type.is_nested() => plan_err!(
            "column `{name}` is {data_type}, which {format} has no form for; write Parquet or JSON lines, or select its parts"
        ),
        data_type if is_binary(data_type) => binary(name, &format),
        _ => Ok(()),
    }
}

/// Checks a column for JSON; `name` is its path.
fn check_json(name: &str, data_type: &DataType) -> Result<()> {
    match value_type(data_type) {
        DataType::Struct(fields) => {
            let mut seen = HashSet::new();
            if let Some(twice) = fields.iter().find(|field| !seen.insert(field.name())) {
                return plan_err!(
                    "column `{name}` has two fields named `{}`, which JSON cannot tell apart",
                    twice.name()
                );
            }
            fields.iter().try_for_each(|field| check_json(&format!("{name}.{}", field.name()), field.data_type()))
        }
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => check_json(name, item.data_type()),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => {
                match fields.iter().map(|field| field.data_type()).collect::<Vec<_>>().as_slice() {
                    [key, value] if value_type(key).is_string() => check_json(name, value),
                    _ => plan_err!("column `{name}` is a map whose keys are not text, which JSON has no form for"),
                }
            }
            _ => Ok(()),
        },
        DataType::Union(..) => plan_err!("column `{name}` is a union, which JSON has no form for"),
        data_type if is_binary(data_type) => binary(name, "JSON"),
        _ => Ok(()),
    }
}

fn binary(name: &str, format: &str) -> Result<()> {
    plan_err!(
        "column `{name}` holds bytes, which {format} has no form for; write Parquet, or text with encode(\"{name}\", 'base64')"
    )
}

fn is_binary(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_))
}

/// The type of the values, whatever the encoding.
pub(super) fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, value) => value_type(value),
        DataType::RunEndEncoded(_, value) => value_type(value.data_type()),
        other => other,
    }
}

/// Returns an error if a value cannot be represented in JSON: NaN, infinities, and times beyond any calendar.
pub(super) fn check_json_values(name: &str, column: &ArrayRef) -> Result<()> {
    if !may_hold_odd_values(column.data_type()) || column.null_count() == column.len() {
        return Ok(());
    }
    let Some(found) = odd_value(column) else { return Ok(()) };
    if found == TIME {
        return exec_err!("column `{name}` holds a time that is beyond any calendar");
    }
    exec_err!(
        "column `{name}` holds {found}, which JSON has no form for; write Parquet or CSV, or make it NULL with \
         nullif(\"{name}\", '{found}'::double)"
    )
}

const TIME: &str = "a time";

fn may_hold_odd_values(data_type: &DataType) -> bool {
    match value_type(data_type) {
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => true,
        DataType::Struct(fields) => fields.iter().any(|field| may_hold_odd_values(field.data_type())),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => may_hold_odd_values(item.data_type()),
        other => other.is_floating(),
    }
}

/// Describes the first value that cannot be represented.
fn odd_value(column: &ArrayRef) -> Option<&'static str> {
    macro_rules! floats {
        ($kind:ty) => {
            column.as_primitive::<$kind>().iter().flatten().map(|value| f64::from(value)).find_map(name_of)
        };
    }
    match column.data_type() {
        DataType::Float16 => floats!(Float16Type),
        DataType::Float32 => floats!(Float32Type),
        DataType::Float64 => floats!(Float64Type),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => (!is_calendar(column)).then_some(TIME),
        DataType::Struct(_) => {
            let rows = column.as_struct();
            let valid = |at| rows.is_valid(at);
            rows.columns().iter().find_map(|child| within(child, valid))
        }
        DataType::Dictionary(..) | DataType::RunEndEncoded(..) => {
            let values = arrow::compute::cast(column, value_type(column.data_type())).ok()?;
            odd_value(&values)
        }
        _ => {
            let rows = nested_rows(column)?;
            rows.iter().flatten().find_map(odd_value)
        }
    }
}

/// Describes the first value that cannot be represented among valid rows. What is stored under a NULL does not count.
fn within(child: &ArrayRef, valid: impl Fn(usize) -> bool) -> Option<&'static str> {
    odd_value(child)?;
    (0..child.len()).filter(|&at| valid(at)).find_map(|at| odd_value(&child.slice(at, 1)))
}

/// The values of each row of a list or a map; `None` for a NULL.
fn nested_rows(column: &ArrayRef) -> Option<Vec<Option<ArrayRef>>> {
    Some(match column.data_type() {
        DataType::List(_) => column.as_list::<i32>().iter().collect(),
        DataType::LargeList(_) => column.as_list::<i64>().iter().collect(),
        DataType::FixedSizeList(..) => column.as_fixed_size_list().iter().collect(),
        DataType::Map(..) => {
            let map = column.as_map();
            (0..map.len()).map(|at| map.is_valid(at).then(|| map.value(at).column(1).clone())).collect()
        }
        DataType::ListView(_) => {
            let list = column.as_list_view::<i32>();
            (0..list.len()).map(|at| list.is_valid(at).then(|| list.value(at))).collect()
        }
        DataType::LargeListView(_) => {
            let list = column.as_list_view::<i64>();
            (0..list.len()).map(|at| list.is_valid(at).then(|| list.value(at))).collect()
        }
        _ => return None,
    })
}

fn name_of(value: f64) -> Option<&'static str> {
    match value {
        value if value.is_nan() => Some("NaN"),
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ => None,
    }
}

/// Whether all times of a column have a date.
fn is_calendar(column: &ArrayRef) -> bool {
    use arrow::datatypes::{
        Date32Type, Date64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampSecondType,
    };
    match column.data_type() {
        DataType::Date32 => {
            column.as_primitive::<Date32Type>().iter().flatten().all(|day| date32_to_datetime(day).is_some())
        }
        DataType::Date64 => {
            column.as_primitive::<Date64Type>().iter().flatten().all(|time| date64_to_datetime(time).is_some())
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            let times = column.as_primitive::<TimestampSecondType>();
            times
                .iter()
                .flatten()
                .all(|time| time.checked_mul(1000).is_some_and(|time| timestamp_ms_to_datetime(time).is_some()))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            let times = column.as_primitive::<TimestampMillisecondType>();
            times.iter().flatten().all(|time| timestamp_ms_to_datetime(time).is_some())
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let times = column.as_primitive::<TimestampMicrosecondType>();
            times.iter().flatten().all(|time| timestamp_ms_to_datetime(time.div_euclid(1000)).is_some())
        }
        // Nanoseconds span 584 years.
        _ => true,
    }
}
