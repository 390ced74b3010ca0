//! `cosine_similarity(a, b)`.

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use super::pairs;
use crate::kernels::vector::arithmetic::cosine_alone;

const NAME: &str = "cosine_similarity";

/// The cosine of the angle between two vectors.
#[user_doc(
    doc_section(label = "Vector Functions"),
    description = "Cosine of the angle between two vectors, from -1 to 1; NULL where one of them is all zeros and has no direction. Vectors are lists of 16, 32 or 64-bit floats, read as 32-bit floats; the sum is taken in 64 bits in a fixed \
order. NULL gives NULL; NaN, infinite and NULL values and vectors of different lengths are errors. O(d).",
    syntax_example = "cosine_similarity(a, b)",
    sql_example = r#"```sql
> SELECT cosine_similarity([3.0, 4.0], [4.0, 3.0]) AS similarity, cosine_similarity([1, 0], [0, 0]) AS none;
+------------+------+
| similarity | none |
+------------+------+
| 0.96       |      |
+------------+------+
```"#,
    argument(name = "a", description = "A vector."),
    argument(name = "b", description = "A vector of the same length."),
    related_udf(name = "l2_distance")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct CosineSimilarity {
    signature: Signature,
}

impl Default for CosineSimilarity {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for CosineSimilarity {
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
        pairs::apply(NAME, &args, cosine_alone)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
