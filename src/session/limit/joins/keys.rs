//! Keys of joins of sorted inputs.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, BinaryArray, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::row::{RowConverter, SortField};
use datafusion::common::utils::normalize_float_zero;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::joins::JoinOn;

/// The keys in types that DataFusion's join of sorted inputs compares. It has no order for NaN, and knows no nested types, no
/// dictionaries, no times and no timestamps with a zone; those become bytes that have the same order.
pub fn comparable(on: &JoinOn, left: &Schema, right: &Schema) -> Result<JoinOn> {
    let pairs = on.iter().map(|(one, other)| {
        let kinds = (one.data_type(left)?, other.data_type(right)?);
        if is_comparable(&kinds.0) && is_comparable(&kinds.1) || kinds.0 != kinds.1 {
            return Ok((Arc::clone(one), Arc::clone(other)));
        }
        let encoded = |key: &Arc<dyn PhysicalExpr>| Arc::new(Encoded(Arc::clone(key))) as _;
        Ok((encoded(one), encoded(other)))
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

/// Values as bytes whose order is theirs; NULL stays NULL.
#[derive(Debug, Eq)]
struct Encoded(Arc<dyn PhysicalExpr>);

impl PartialEq for Encoded {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq(&other.0)
    }
}

impl Hash for Encoded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "bytes of {}", self.0)
    }
}

impl PhysicalExpr for Encoded {
    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.to_string(), DataType::Binary, self.0.nullable(schema)?)))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let values = normalize_float_zero(&self.0.evaluate(batch)?.into_array(batch.num_rows())?);
        let converter = RowConverter::new(vec![SortField::new(values.data_type().clone())])?;
        let nulls = values.logical_nulls();
        let (offsets, bytes, _) = converter.convert_columns(&[values])?.try_into_binary()?.into_parts();
        Ok(ColumnarValue::Array(Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?)))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.0]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match (children.pop(), children.is_empty()) {
            (Some(child), true) => Ok(Arc::new(Self(child))),
            _ => internal_err!("one expression was expected"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_sql(f)
    }
}
