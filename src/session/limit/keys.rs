//! Converts keys to a form that can be sorted and compared if DataFusion cannot do so.

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

/// What is done to a key. In either form `-0.0` is `0.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// The values themselves.
    OneZero,
    /// Bytes whose order is that of the values; NULL stays NULL.
    Bytes,
}

/// A key in another form.
#[derive(Debug, Eq)]
pub struct Key {
    key: Arc<dyn PhysicalExpr>,
    form: Form,
}

impl Key {
    /// `key` as `form`.
    pub fn of(key: &Arc<dyn PhysicalExpr>, form: Form) -> Arc<dyn PhysicalExpr> {
        Arc::new(Self { key: Arc::clone(key), form })
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.form == other.form && self.key.eq(&other.key)
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.form.hash(state);
        self.key.hash(state);
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.form {
            Form::OneZero => write!(f, "{} + 0", self.key),
            Form::Bytes => write!(f, "bytes of {}", self.key),
        }
    }
}

impl PhysicalExpr for Key {
    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        match self.form {
            Form::OneZero => self.key.return_field(schema),
            Form::Bytes => Ok(Arc::new(Field::new(self.to_string(), DataType::Binary, self.key.nullable(schema)?))),
        }
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let values = normalize_float_zero(&self.key.evaluate(batch)?.into_array(batch.num_rows())?);
        if self.form == Form::OneZero {
            return Ok(ColumnarValue::Array(values));
        }
        let converter = RowConverter::new(vec![SortField::new(values.data_type().clone())])?;
        let nulls = values.logical_nulls();
        let (offsets, bytes, _) = converter.convert_columns(&[values])?.try_into_binary()?.into_parts();
        Ok(ColumnarValue::Array(Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?)))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.key]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match (children.pop(), children.is_empty()) {
            (Some(key), true) => Ok(Arc::new(Self { key, form: self.form })),
            _ => internal_err!("one expression was expected"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt_sql(f)
    }
}
