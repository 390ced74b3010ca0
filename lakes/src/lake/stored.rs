//! Metadata about columns in a file, and whether a rebuilt file preserves it.

use arrow::datatypes::Schema;
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

/// Where Arrow keeps its schema in a Parquet file; the writer writes it itself.
pub const ARROW_SCHEMA: &str = "ARROW:schema";

/// What would be lost about the columns if the file were written again with the Arrow schema of `footer`; `None` if nothing.
pub fn lost_by_writing(footer: &ParquetMetaData, schema: &Schema) -> Option<String> {
    match ArrowSchemaConverter::new().convert(schema) {
        Ok(written) => columns(footer.file_metadata().schema_descr(), &written),
        Err(e) => Some(format!("its columns cannot be written again: {e}")),
    }
}

/// What `original` states and `rebuilt` does not, in words; `None` if nothing would be lost.
pub fn lost(original: &ParquetMetaData, rebuilt: &ParquetMetaData) -> Option<String> {
    let schema = |footer: &ParquetMetaData| footer.file_metadata().schema_descr_ptr();
    if let Some(what) = columns(&schema(original), &schema(rebuilt)) {
        return Some(what);
    }
    let pairs = |footer: &ParquetMetaData| -> Vec<KeyValue> {
        let all = footer.file_metadata().key_value_metadata().cloned().unwrap_or_default();
        all.into_iter().filter(|pair| pair.key != ARROW_SCHEMA).collect()
    };
    let (before, after) = (pairs(original), pairs(rebuilt));
    let gone = before.into_iter().find(|pair| !after.contains(pair))?;
    Some(format!("its metadata `{}` would be lost", gone.key))
}

fn columns(ours: &SchemaDescriptor, theirs: &SchemaDescriptor) -> Option<String> {
    if ours.num_columns() != theirs.num_columns() {
        return Some("a rebuilt file would have other columns".to_owned());
    }
    ours.columns().iter().zip(theirs.columns()).find_map(|(before, after)| column(before, after))
}

fn column(before: &ColumnDescriptor, after: &ColumnDescriptor) -> Option<String> {
    let name = before.path().string();
    if before.physical_type() == Type::INT96 {
        return Some(format!("its column `{name}` holds INT96 timestamps, which are read but not written"));
    }
    let (ours, theirs) = (meaning(before), meaning(after));
    if ours != theirs {
        let shown = ours.as_deref().unwrap_or("plain");
        return Some(format!("its column `{name}` is {shown} in the file, which a rebuilt one would not say"));
    }
    if before.path() != after.path() {
        return Some(format!("its column `{name}` would come back as `{}`", after.path().string()));
    }
    let levels = |column: &ColumnDescriptor| (column.max_def_level(), column.max_rep_level());
    (levels(before) != levels(after)).then(|| format!("its column `{name}` would come back nested in another way"))
}

/// What the values of a column stand for, by the new annotation or the old one.
fn meaning(column: &ColumnDescriptor) -> Option<String> {
    let precision = (column.type_precision(), column.type_scale());
    Some(match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Integer(kind)), _) => {
            let plain = match column.physical_type() {
                Type::INT32 => 32,
                _ => 64,
            };
            return (kind.bit_width != plain || !kind.is_signed)
                .then(|| format!("{}INT_{}", if kind.is_signed { "" } else { "U" }, kind.bit_width));
        }
        (Some(LogicalType::Decimal(_)), _) | (None, ConvertedType::DECIMAL) => format!("DECIMAL{precision:?}"),
        (Some(LogicalType::String), _) => "UTF8".to_owned(),
        (Some(LogicalType::Enum), _) => "ENUM".to_owned(),
        (Some(LogicalType::Json), _) => "JSON".to_owned(),
        (Some(LogicalType::Bson), _) => "BSON".to_owned(),
        (Some(LogicalType::Date), _) => "DATE".to_owned(),
        (Some(LogicalType::Time(kind)), _) => format!("TIME_{:?}", kind.unit),
        (Some(LogicalType::Timestamp(kind)), _) => {
            let zone = if kind.is_adjusted_to_u_t_c { " (UTC)" } else { "" };
            format!("TIMESTAMP_{:?}{zone}", kind.unit)
        }
        (None, ConvertedType::TIMESTAMP_MILLIS) => "TIMESTAMP_MILLIS (UTC)".to_owned(),
        (None, ConvertedType::TIMESTAMP_MICROS) => "TIMESTAMP_MICROS (UTC)".to_owned(),
        (Some(LogicalType::Unknown), _) => "UNKNOWN".to_owned(),
        (Some(other), _) => format!("{other:?}"),
        (None, ConvertedType::NONE | ConvertedType::INT_32 | ConvertedType::INT_64) => return None,
        (None, ConvertedType::TIME_MILLIS) => "TIME_MILLIS".to_owned(),
        (None, ConvertedType::TIME_MICROS) => "TIME_MICROS".to_owned(),
        (None, ConvertedType::UINT_8) => "UINT_8".to_owned(),
        (None, ConvertedType::UINT_16) => "UINT_16".to_owned(),
        (None, ConvertedType::UINT_32) => "UINT_32".to_owned(),
        (None, ConvertedType::UINT_64) => "UINT_64".to_owned(),
        (None, other) => other.to_string(),
    })
}
