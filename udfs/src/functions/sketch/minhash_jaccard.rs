//! `minhash_jaccard(a, b)`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, exec_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use super::signatures::{Signatures, coerce};
use crate::kernels::minhash::estimate_jaccard;

const NAME: &str = "minhash_jaccard";

/// Estimates the Jaccard similarity from two MinHash signatures.
#[user_doc(
    doc_section(label = "Sketch Functions"),
    description = "Estimate of the Jaccard similarity of two sets from their MinHash signatures: the share of places with equal \
values. Both signatures must come from `minhash` with the same arguments; different lengths are an error. NULL gives NULL.",
    syntax_example = "minhash_jaccard(a, b)",
    sql_example = r#"```sql
> SELECT minhash_jaccard(minhash('the cat sat on the mat', 256, 2), minhash('the cat sat on a mat', 256, 2)) AS estimate,
    jaccard('the cat sat on the mat', 'the cat sat on a mat', 2) AS exact;
+------------+---------------------+
| estimate   | exact               |
+------------+---------------------+
| 0.41796875 | 0.42857142857142855 |
+------------+---------------------+
```"#,
    argument(name = "a", description = "A signature of `minhash`."),
    argument(name = "b", description = "Another one."),
    related_udf(name = "minhash"),
    related_udf(name = "jaccard")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct MinhashJaccard {
    signature: Signature,
}

impl Default for MinhashJaccard {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for MinhashJaccard {
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
        let [a, b] = take_function_args(NAME, given)?;
        Ok(vec![coerce(NAME, a)?, coerce(NAME, b)?])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(estimates, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn estimates(args: &[ArrayRef]) -> Result<ArrayRef> {
    let (a, b) = (Signatures::try_new(NAME, &args[0])?, Signatures::try_new(NAME, &args[1])?);
    let estimates = (0..args[0].len()).map(|row| match (a.get(row)?, b.get(row)?) {
        (Some(a), Some(b)) if a.len() == b.len() => Ok(Some(estimate_jaccard(a, b))),
        (Some(a), Some(b)) => {
            exec_err!("{NAME}: the signatures must have the same length, not {} and {}", a.len(), b.len())
        }
        _ => Ok(None),
    });
    Ok(Arc::new(estimates.collect::<Result<Float64Array>>()?))
}
