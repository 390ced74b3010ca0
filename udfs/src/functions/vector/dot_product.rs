//! `dot_product(a, b)`.

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use super::pairs;
use crate::kernels::vector::arithmetic::dot;

const NAME: &str = "dot_product";

/// The sum of the products of the values of two vectors.
#[user_doc(
    doc_section(label = "Vector Functions"),
    description = "Sum of the products of the values of two vectors: the cosine of the angle where both have length 1. Vectors are lists of 16, 32 or 64-bit floats, read as 32-bit floats; the sum is taken in 64 bits in a fixed \
order. NULL gives NULL; NaN, infinite and NULL values and vectors of different lengths are errors. O(d).",
    syntax_example = "dot_product(a, b)",
    sql_example = r#"```sql
> SELECT dot_product([1.0, 2.0], [3.0, 4.0]) AS product;
+---------+
| product |
+---------+
| 11.0    |
+---------+
```"#,
    argument(name = "a", description = "A vector."),
    argument(name = "b", description = "A vector of the same length."),
    related_udf(name = "cosine_similarity")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct DotProduct {
    signature: Signature,
}

impl Default for DotProduct {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for DotProduct {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        pairs::coerce(NAME, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        pairs::apply(NAME, &args, |a, b| Some(dot(a, b)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
