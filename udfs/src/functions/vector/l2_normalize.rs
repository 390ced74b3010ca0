//! `l2_normalize(vec)`.

use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use super::embeddings;
use crate::kernels::vector::arithmetic::push_normalized;

const NAME: &str = "l2_normalize";

/// A vector scaled to length one.
#[user_doc(
    doc_section(label = "Vector Functions"),
    description = "The vector scaled to Euclidean length 1, as 32-bit floats in a list of the same kind. NULL and the vector of \
zeros, which has no direction, give NULL; NaN and infinite values are errors. O(d).",
    syntax_example = "l2_normalize(vec)",
    sql_example = r#"```sql
> SELECT l2_normalize([3.0, 4.0]) AS unit;
+------------+
| unit       |
+------------+
| [0.6, 0.8] |
+------------+
```"#,
    argument(name = "vec", description = "A vector."),
    related_udf(name = "cosine_similarity")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct L2Normalize {
    signature: Signature,
}

impl Default for L2Normalize {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for L2Normalize {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match given {
            [vec] => Ok(embeddings::as_f32(vec)),
            _ => plan_err!("{NAME} takes one vector"),
        }
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [vec] => Ok(vec![embeddings::coerce(NAME, vec)?]),
            _ => plan_err!("{NAME} takes one vector, not {} arguments", given.len()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let normalize = |args: &[arrow::array::ArrayRef]| {
            let output = embeddings::as_f32(args[0].data_type());
            embeddings::map(NAME, &args[0], &output, |vector, values| {
                push_normalized(vector, values).ok_or_else(|| embeddings::not_finite(NAME, vector))
            })
        };
        make_scalar_function(normalize, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
