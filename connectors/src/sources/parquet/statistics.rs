//! What footers prove about the columns of a file.

use arrow::datatypes::{DataType, Schema};
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics as ColumnStatistics;
use parquet::schema::types::SchemaDescriptor;

/// Below it every whole number is a float of 64 bits.
const WHOLE: i64 = 1 << 53;

/// The leaf of a column that is no struct and no list.
fn leaf(schema: &SchemaDescriptor, name: &str) -> Option<usize> {
    (0..schema.num_columns()).find(|&at| schema.column(at).path().parts() == [name])
}

/// Whether the footer proves that floats of 64 bits hold all integers of a column exactly.
pub(super) fn integers_fit_floats(footer: &ParquetMetaData, name: &str) -> bool {
    let Some(at) = leaf(footer.file_metadata().schema_descr(), name) else { return false };
    footer.row_groups().iter().all(|group| {
        let found = group.column(at).statistics();
        let nulls = found.and_then(ColumnStatistics::null_count_opt);
        if group.num_rows() == 0 || nulls == u64::try_from(group.num_rows()).ok() {
            return true;
        }
        match found {
            // Bounds of unsigned numbers from 2^63 on are negative here, and so is their least.
            Some(ColumnStatistics::Int64(bounds)) => {
                let fits = |bound: Option<&i64>| bound.is_some_and(|bound| (-WHOLE..=WHOLE).contains(bound));
                fits(bounds.min_opt()) && fits(bounds.max_opt()) && !found.is_some_and(|s| s.is_min_max_deprecated())
            }
            _ => false,
        }
    })
}

/// Reduces the statistics of a file to what its footer proves. `schema` has the columns of the table.
///
/// Bounds of floats exclude NaN, so equal bounds do not make a column constant, and the upper bound is not a maximum. If a
/// column's type differs between file and table, DataFusion drops its bounds but still calls them exact.
pub(crate) fn of_file(mut statistics: Statistics, schema: &Schema) -> Statistics {
    for (column, field) in statistics.column_statistics.iter_mut().zip(schema.fields()) {
        let data_type = match field.data_type() {
            DataType::Dictionary(_, value) => value,
            data_type => data_type,
        };
        for bound in [&mut column.min_value, &mut column.max_value] {
            if bound.get_value().is_some_and(|value| value.is_null()) {
                *bound = Precision::Absent;
            }
            if data_type.is_floating() {
                *bound = std::mem::take(bound).to_inexact();
            }
        }
    }
    statistics
}
