//! Checks a file against the `key=value` folder that contains it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Schema};
use arrow::util::display::array_value_to_string;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use futures::TryStreamExt;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_schema};
use parquet::file::metadata::ParquetMetaData;

use crate::sources::files::key_value::NULL;

/// Checks that all values of column `name` equal the `value` of the folder. Uses the footer if that proves or disproves it,
/// otherwise reads the column. `path` appears in errors.
///
/// # Errors
/// They differ, or the file cannot be read.
pub async fn agrees(
    reader: Box<dyn AsyncFileReader>,
    footer: &Arc<ParquetMetaData>,
    (path, name, value): (&str, &str, Option<&str>),
) -> Result<()> {
    let failed = |e: &dyn std::fmt::Display| exec_datafusion_err!("cannot read {path}: {e}");
    let file = footer.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata()).map_err(|e| failed(&e))?;
    let Ok(place) = schema.index_of(name) else { return Ok(()) };
    let data_type = match schema.field(place).data_type() {
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        other => other.clone(),
    };
    let expected = expected(value, &data_type).ok_or_else(|| {
        exec_datafusion_err!(
            "{path} is in the folder {name}={} and its column `{name}` is {data_type}, of which that is no value",
            value.unwrap_or(NULL)
        )
    })?;
    let differs = |found: &str| -> DataFusionError {
        exec_datafusion_err!(
            "{path} is in the folder {name}={}, but its column `{name}` holds {found}: the two must say the same",
            value.unwrap_or(NULL)
        )
    };
    match by_footer(footer, &schema, name, &expected)? {
        Verdict::Agrees => return Ok(()),
        Verdict::Differs(found) => return Err(differs(&found)),
        Verdict::Unknown => {}
    }
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(footer), ArrowReaderOptions::new())?;
    let mask = ProjectionMask::roots(metadata.parquet_schema(), [place]);
    let builder = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, metadata).with_projection(mask);
    let mut batches = builder.build().map_err(|e| failed(&e))?;
    while let Some(batch) = batches.try_next().await.map_err(|e| failed(&e))? {
        let Some(column) = batch.columns().first() else { continue };
        let column = arrow::compute::cast(column, &data_type)?;
        if let Some(row) = first_other(&column, &expected)? {
            return Err(differs(&shown(&column, row)));
        }
    }
    Ok(())
}

/// The value of a folder as one row of the column's type.
fn expected(value: Option<&str>, data_type: &DataType) -> Option<ArrayRef> {
    let text = StringArray::from(vec![value]);
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(&text, data_type, &options).ok()
}

fn shown(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "NULL".to_owned();
    }
    array_value_to_string(column, row).unwrap_or_else(|_| "another value".to_owned())
}

/// The first row that is not `expected`.
fn first_other(column: &ArrayRef, expected: &ArrayRef) -> Result<Option<usize>> {
    let same = not_distinct(&column, &arrow::array::Scalar::new(expected))?;
    Ok((0..same.len()).find(|&row| !same.value(row)))
}

enum Verdict {
    Agrees,
    Differs(String),
    Unknown,
}

/// Decides by bounds and NULL counts; undecided if a row group lacks them or has truncated ones.
fn by_footer(footer: &ParquetMetaData, schema: &Schema, name: &str, expected: &ArrayRef) -> Result<Verdict> {
    let groups: Vec<_> = footer.row_groups().iter().filter(|group| group.num_rows() > 0).collect();
    let Ok(bounds) = StatisticsConverter::try_new(name, schema, footer.file_metadata().schema_descr()) else {
        return Ok(Verdict::Unknown);
    };
    let bounds = bounds.with_missing_null_counts_as_zero(false);
    let nulls = bounds.row_group_null_counts(groups.iter().copied())?;
    let exact = [
        bounds.row_group_is_min_value_exact(groups.iter().copied())?,
        bounds.row_group_is_max_value_exact(groups.iter().copied())?,
    ];
    let ends = [bounds.row_group_mins(groups.iter().copied())?, bounds.row_group_maxes(groups.iter().copied())?];
    let null = expected.is_null(0);
    for (at, group) in groups.iter().enumerate() {
        if nulls.is_null(at) {
            return Ok(Verdict::Unknown);
        }
        let all_null = u64::try_from(group.num_rows()).is_ok_and(|rows| rows == nulls.value(at));
        match (null, all_null, nulls.value(at)) {
            (true, true, _) => continue,
            (true, false, _) if ends[0].is_valid(at) => return Ok(Verdict::Differs(shown(&ends[0], at))),
            (false, _, 1..) => return Ok(Verdict::Differs("NULL".to_owned())),
            (true, ..) => return Ok(Verdict::Unknown),
            (false, ..) => {}
        }
        for (ends, exact) in ends.iter().zip(&exact) {
            if ends.is_null(at) || expected.data_type().is_floating() {
                return Ok(Verdict::Unknown);
            }
            let end = arrow::compute::cast(&ends.slice(at, 1), expected.data_type())?;
            let is_exact = exact.is_valid(at) && exact.value(at);
            // Bounds of fixed width are never truncated, and not every writer says so.
            if !is_exact && !expected.data_type().is_primitive() {
                return Ok(Verdict::Unknown);
            }
            if first_other(&end, expected)?.is_some() {
                return Ok(Verdict::Differs(shown(&end, 0)));
            }
        }
    }
    Ok(Verdict::Agrees)
}
