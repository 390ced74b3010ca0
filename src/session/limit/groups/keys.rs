//! Keys of groups as they are sorted.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{RecordBatch, make_comparator, new_empty_array};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::utils::normalize_float_zero;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::aggregates::PhysicalGroupBy;

/// The keys in a form in which equal ones come one after the other once they are sorted: `-0.0` and `0.0` are one key. Nothing where a type
/// has no order.
pub fn sortable(keys: &PhysicalGroupBy, schema: &Schema) -> Result<Option<PhysicalGroupBy>> {
    let mut sortable = Vec::with_capacity(keys.expr().len());
    for (key, name) in keys.expr() {
        let kind = key.data_type(schema)?;
        let none = new_empty_array(&kind);
        if make_comparator(&none, &none, SortOptions::default()).is_err() {
            return Ok(None);
        }
        let float = matches!(kind, DataType::Float16 | DataType::Float32 | DataType::Float64);
        let key = Arc::clone(key);
        sortable.push((if float { Arc::new(OneZero(key)) } else { key }, name.clone()));
    }
    Ok(Some(PhysicalGroupBy::new_single(sortable)))
}

/// Floats in which `-0.0` is `0.0`.
#[derive(Debug, Eq)]
struct OneZero(Arc<dyn PhysicalExpr>);

impl PartialEq for OneZero {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq(&other.0)
    }
}

impl Hash for OneZero {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for OneZero {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} + 0", self.0)
    }
}

impl PhysicalExpr for OneZero {
    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.0.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let values = self.0.evaluate(batch)?.into_array(batch.num_rows())?;
        Ok(ColumnarValue::Array(normalize_float_zero(&values)))
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
