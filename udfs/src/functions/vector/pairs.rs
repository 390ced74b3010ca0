//! Shared by the functions of two vectors.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

use super::embeddings::{self, Embeddings};

/// Coerces both arguments to vectors.
pub(super) fn coerce(function: &str, given: &[DataType]) -> Result<Vec<DataType>> {
    match given {
        [a, b] => Ok(vec![embeddings::coerce(function, a)?, embeddings::coerce(function, b)?]),
        _ => plan_err!("{function} takes two vectors, not {} arguments", given.len()),
    }
}

/// Applies `one` to every pair of rows. It receives vectors of equal length. It returns a result that is not finite to report
/// that an input value was not finite.
pub(super) fn apply(
    function: &'static str,
    args: &ScalarFunctionArgs,
    one: impl Fn(&[f32], &[f32]) -> Option<f64>,
) -> Result<ColumnarValue> {
    let [a, b] = args.args.as_slice() else { return plan_err!("{function} takes two vectors") };
    let both_constant = matches!((a, b), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
    let rows = if both_constant { 1 } else { args.number_rows };
    let array = |value: &ColumnarValue| -> Result<(ArrayRef, bool)> {
        Ok(match value {
            ColumnarValue::Array(array) => (Arc::clone(array), false),
            ColumnarValue::Scalar(value) => (value.to_array_of_size(1)?, true),
        })
    };
    let ((a, a_constant), (b, b_constant)) = (array(a)?, array(b)?);
    let (a, b) = (Embeddings::try_new(function, &a)?, Embeddings::try_new(function, &b)?);
    let results = (0..rows).map(|row| {
        let pair = (a.get(if a_constant { 0 } else { row })?, b.get(if b_constant { 0 } else { row })?);
        let (Some(a), Some(b)) = pair else { return Ok(None) };
        if a.len() != b.len() {
            return embeddings::mixed(function, a.len(), b.len());
        }
        match one(a, b) {
            Some(value) if value.is_finite() => Ok(Some(value)),
            None if a.iter().chain(b).all(|x| x.is_finite()) => Ok(None),
            _ => Err(embeddings::not_finite(function, if a.iter().all(|x| x.is_finite()) { b } else { a })),
        }
    });
    let results: Float64Array = results.collect::<Result<_>>()?;
    if both_constant {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&results, 0)?));
    }
    Ok(ColumnarValue::Array(Arc::new(results)))
}
