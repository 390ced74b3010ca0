//! `hamming_distance(a, b)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, UInt32Array};
use arrow::compute::binary;
use arrow::datatypes::{DataType, UInt64Type};
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use crate::functions::literals::unsigned;

/// Returns the number of bits in which two 64-bit numbers differ.
#[user_doc(
    doc_section(label = "Sketch Functions"),
    description = "Number of bits in which two unsigned 64-bit numbers differ, such as two results of `simhash`. NULL gives NULL; \
a negative number is an error.",
    syntax_example = "hamming_distance(a, b)",
    sql_example = r#"```sql
> SELECT hamming_distance(12, 10) AS bits;
+------+
| bits |
+------+
| 2    |
+------+
```"#,
    argument(name = "a", description = "A number, cast to UInt64."),
    argument(name = "b", description = "Another one."),
    related_udf(name = "simhash")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct HammingDistance {
    signature: Signature,
}

impl Default for HammingDistance {
    fn default() -> Self {
        Self { signature: Signature::coercible(vec![unsigned(), unsigned()], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for HammingDistance {
    fn name(&self) -> &str {
        "hamming_distance"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(distances, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn distances(args: &[ArrayRef]) -> Result<ArrayRef> {
    let (a, b) = (args[0].as_primitive::<UInt64Type>(), args[1].as_primitive::<UInt64Type>());
    let bits: UInt32Array = binary(a, b, |a, b| (a ^ b).count_ones())?;
    Ok(Arc::new(bits))
}
