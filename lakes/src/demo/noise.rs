//! Small changes to values that leave the schema, and tables made of two.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, TimeUnit, TimestampMicrosecondType};
use datafusion::common::Result;

/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

/// Changes all columns of a type; `None` if the table has none.
fn changed(
    rows: &RecordBatch,
    data_type: &DataType,
    change: impl Fn(&ArrayRef) -> ArrayRef,
) -> Result<Option<RecordBatch>> {
    if !rows.columns().iter().any(|column| column.data_type() == data_type) {
        return Ok(None);
    }
    let columns = rows.columns().iter().map(|column| match column.data_type() == data_type {
        true => change(column),
        false => ArrayRef::clone(column),
    });
    Ok(Some(RecordBatch::try_new(rows.schema(), columns.collect())?))
}

/// Fractions rounded to whole numbers.
pub fn rounded(rows: &RecordBatch) -> Result<Option<RecordBatch>> {
    changed(rows, &DataType::Float64, |column| {
        Arc::new(column.as_primitive::<Float64Type>().unary::<_, Float64Type>(f64::round))
    })
}

/// Texts in capitals, with a space behind every third one.
pub fn shouted(rows: &RecordBatch) -> Result<Option<RecordBatch>> {
    changed(rows, &DataType::Utf8, |column| {
        let texts = column.as_string::<i32>().iter().enumerate();
        let shouted = texts.map(|(row, text)| {
            text.map(|text| format!("{}{}", text.to_uppercase(), if row % 3 == 0 { " " } else { "" }))
        });
        Arc::new(shouted.collect::<StringArray>())
    })
}

/// Times as another zone has them.
pub fn shifted(rows: &RecordBatch) -> Result<Option<RecordBatch>> {
    changed(rows, &DataType::Timestamp(TimeUnit::Microsecond, None), |column| {
        let times = column.as_primitive::<TimestampMicrosecondType>();
        Arc::new(times.unary::<_, TimestampMicrosecondType>(|time| time + HOUR))
    })
}

/// Joins every row with the result of a lookup by its second column, a text.
pub fn joined(rows: &RecordBatch) -> Result<RecordBatch> {
    let regions: StringArray = rows
        .column(1)
        .as_string::<i32>()
        .iter()
        .map(|text| text.map(|text| format!("region {}", text.len())))
        .collect();
    let fields: Vec<Field> = rows.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    let fields: Vec<Field> = fields.into_iter().chain([Field::new("region", DataType::Utf8, true)]).collect();
    let columns = rows.columns().iter().cloned().chain([Arc::new(regions) as ArrayRef]).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// Restricts two tables to their common columns. Returns the first one restricted, and both concatenated.
pub fn united(rows: &RecordBatch, other: &RecordBatch) -> Result<(RecordBatch, RecordBatch)> {
    let (ours, theirs) = (rows.schema(), other.schema());
    let common = ours.fields().iter().enumerate().filter_map(|(at, field)| {
        let (place, same) = theirs.column_with_name(field.name())?;
        (same.data_type() == field.data_type()).then_some((at, place))
    });
    let (here, there): (Vec<usize>, Vec<usize>) = common.unzip();
    let (first, second) = (rows.project(&here)?, other.project(&there)?);
    let second = RecordBatch::try_new(first.schema(), second.columns().to_vec())?;
    let both = concat_batches(&first.schema(), [&first, &second])?;
    Ok((first, both))
}
