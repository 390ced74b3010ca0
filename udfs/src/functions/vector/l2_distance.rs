//! `l2_distance(a, b)`.

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use super::pairs;
use crate::kernels::vector::arithmetic::squared_distance;

const NAME: &str = "l2_distance";

/// The Euclidean distance of two vectors.
#[user_doc(
    doc_section(label = "Vector Functions"),
    description = "Euclidean distance of two vectors. Vectors are lists of 16, 32 or 64-bit floats, read as 32-bit floats; the sum is taken in 64 bits in a fixed \
order. NULL gives NULL; NaN, infinite and NULL values and vectors of different lengths are errors. O(d).",
    syntax_example = "l2_distance(a, b)",
    sql_example = r#"```sql
> SELECT l2_distance([0.0, 0.0], [3.0, 4.0]) AS distance;
+----------+
| distance |
+----------+
| 5.0      |
+----------+
```"#,
    argument(name = "a", description = "A vector."),
    argument(name = "b", description = "A vector of the same length."),
    related_udf(name = "cosine_similarity")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct L2Distance {
    signature: Signature,
}

impl Default for L2Distance {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for L2Distance {
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
        pairs::apply(NAME, &args, |a, b| Some(squared_distance(a, b).sqrt()))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
