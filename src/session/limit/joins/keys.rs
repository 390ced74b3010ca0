//! Keys of joins of sorted inputs.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::Result;
use datafusion::physical_plan::joins::JoinOn;

use super::super::keys::{Form, Key};

/// Converts keys to types that DataFusion's sort-merge join can compare. That join has no order for NaN, and does not support
/// nested types, dictionaries, times and timestamps with a zone; those become bytes in the same order.
pub fn comparable(on: &JoinOn, left: &Schema, right: &Schema) -> Result<JoinOn> {
    let pairs = on.iter().map(|(one, other)| {
        let kinds = (one.data_type(left)?, other.data_type(right)?);
        if is_comparable(&kinds.0) && is_comparable(&kinds.1) || kinds.0 != kinds.1 {
            return Ok((Arc::clone(one), Arc::clone(other)));
        }
        Ok((Key::of(one, Form::Bytes), Key::of(other, Form::Bytes)))
    });
    pairs.collect()
}

fn is_comparable(kind: &DataType) -> bool {
    use DataType::{
        Binary, BinaryView, Boolean, Date32, Date64, Decimal128, FixedSizeBinary, LargeBinary, LargeUtf8, Null,
        Timestamp, Utf8, Utf8View,
    };
    kind.is_integer()
        || matches!(kind, Null | Boolean | Binary | BinaryView | FixedSizeBinary(_) | LargeBinary | Utf8 | Utf8View)
        || matches!(kind, LargeUtf8 | Decimal128(..) | Timestamp(_, None) | Date32 | Date64)
}
