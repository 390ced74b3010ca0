//! `vec_scale(vec, factor)`.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use super::embeddings;
use crate::functions::literals::Literals;

const NAME: &str = "vec_scale";

/// A vector times a number.
#[user_doc(
    doc_section(label = "Vector Functions"),
    description = "The vector times a number, as 32-bit floats in a list of the same kind. What is learnt from vectors \
(`fit_softmax` and the recipes on it) wants values of about 1: pixels of a byte are scaled by 1.0 / 255. NULL gives NULL; values \
that are or become NaN or infinite are errors. O(d).",
    syntax_example = "vec_scale(vec, factor)",
    sql_example = r#"```sql
> SELECT vec_scale([0, 51, 255], 1.0 / 255) AS pixels;
+-----------------+
| pixels          |
+-----------------+
| [0.0, 0.2, 1.0] |
+-----------------+
```"#,
    argument(name = "vec", description = "A vector."),
    argument(name = "factor", description = "A number, the same for all rows."),
    related_udf(name = "l2_normalize")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct VecScale {
    signature: Signature,
}

impl Default for VecScale {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for VecScale {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match given {
            [vec, _] => Ok(embeddings::as_f32(vec)),
            _ => plan_err!("{NAME} takes a vector and a number"),
        }
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [vec, factor] => Ok(vec![embeddings::coerce(NAME, vec)?, factor.clone()]),
            _ => plan_err!("{NAME} takes a vector and a number, not {} arguments", given.len()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let factor = Literals::running(NAME, &args.args).number(1, "factor", f64::MIN..=f64::MAX)?.unwrap_or(1.0);
        make_scalar_function(move |args| scale(&args[0], factor), vec![])(&args.args[..1])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn scale(vectors: &ArrayRef, factor: f64) -> Result<ArrayRef> {
    embeddings::map(NAME, vectors, &embeddings::as_f32(vectors.data_type()), |vector, values| {
        let start = values.len();
        values.extend(vector.iter().map(|&value| (f64::from(value) * factor) as f32));
        let scaled = &values[start..];
        if scaled.iter().all(|value| value.is_finite()) { Ok(true) } else { Err(embeddings::not_finite(NAME, scaled)) }
    })
}
