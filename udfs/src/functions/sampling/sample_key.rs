//! `sample_key(seed, id, weight)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use super::priority;
use crate::functions::literals::Literals;
use crate::kernels::random::{sampling_key, unit_interval};

const NAME: &str = "sample_key";

/// Returns the priority of a row in weighted sampling without replacement.
#[user_doc(
    doc_section(label = "Sampling Functions"),
    description = "Priority of a row in weighted random sampling without replacement: `ORDER BY sample_key(seed, id, weight), id \
LIMIT k` is a sample of `k` rows in which each next row is drawn with probability proportional to its weight among those left. \
The key is `-ln(1 - hash_uniform(seed, id)) / weight`, whose ascending order is the descending order of `u^(1 / weight)` in \
Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006. The smaller sample is always part of the larger one. \
Weight 0 gives infinity: such a row comes last. NULL gives NULL; a weight that is negative or not finite is an error.",
    syntax_example = "sample_key(seed, id, weight)",
    sql_example = r#"```sql
> SELECT id FROM (VALUES ('a', 1.0), ('b', 10.0), ('c', 0.0), ('d', 5.0)) AS rows(id, weight)
    ORDER BY sample_key(42, id, weight), id LIMIT 2;
+----+
| id |
+----+
| d  |
| b  |
+----+
```"#,
    argument(name = "seed", description = "Integer literal."),
    argument(name = "id", description = "Column that names the row, of any plain type."),
    argument(name = "weight", description = "Weight of the row, a number of at least 0."),
    related_udf(name = "hash_uniform")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SampleKey {
    signature: Signature,
}

impl Default for SampleKey {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for SampleKey {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        priority::seed(&Literals::planned(NAME, &args))?;
        Ok(Field::new(NAME, DataType::Float64, true).into())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [seed, id, weight] = take_function_args(NAME, given)?;
        if !(weight.is_numeric() || weight.is_null()) {
            return plan_err!("{NAME}: weight must be a number, not {weight}");
        }
        Ok(vec![seed.clone(), priority::coerce(NAME, id)?, DataType::Float64])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let seed = priority::seed(&Literals::running(NAME, &args.args))?;
        make_scalar_function(move |args| keys(seed, args), vec![])(&args.args[1..])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn keys(seed: u64, args: &[ArrayRef]) -> Result<ArrayRef> {
    let (bits, nulls) = priority::random_bits(seed, &args[..1])?;
    let weights = args[1].as_primitive::<Float64Type>();
    let keys = bits.into_iter().zip(weights).enumerate().map(|(row, (bits, weight))| match weight {
        _ if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) => Ok(None),
        Some(weight) if weight >= 0.0 && weight.is_finite() => Ok(Some(sampling_key(unit_interval(bits), weight))),
        Some(weight) => exec_err!("{NAME}: weight must be a finite number of at least 0, not {weight}"),
        None => Ok(None),
    });
    Ok(Arc::new(keys.collect::<Result<Float64Array>>()?))
}
