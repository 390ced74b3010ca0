//! `hash_uniform(seed, id, ...)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use super::priority;
use crate::functions::literals::Literals;
use crate::kernels::random::unit_interval;

const NAME: &str = "hash_uniform";

/// Returns a uniform random number that depends only on a seed and a key.
#[user_doc(
    doc_section(label = "Sampling Functions"),
    description = "Number in [0, 1) that looks uniformly random and depends on the seed and the id only: the same in every run, \
order, partition and machine, and independent between seeds. `WHERE hash_uniform(42, id) < 0.1` keeps a tenth of the rows. An id \
may be any number of columns of plain types; integers of every width and texts of every layout count by their value. A NULL \
among them gives NULL.",
    syntax_example = "hash_uniform(seed, id [, ...])",
    sql_example = r#"```sql
> SELECT id, hash_uniform(42, id) AS u FROM (VALUES (1), (2), (3)) AS rows(id) ORDER BY id;
+----+---------------------+
| id | u                   |
+----+---------------------+
| 1  | 0.6017961476052632  |
| 2  | 0.6044209506811389  |
| 3  | 0.25051271341068393 |
+----+---------------------+
```"#,
    argument(name = "seed", description = "Integer literal."),
    argument(name = "id", description = "One or more columns that together name the row."),
    related_udf(name = "sample_key")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct HashUniform {
    signature: Signature,
}

impl Default for HashUniform {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for HashUniform {
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
        match given {
            [seed, ids @ ..] if !ids.is_empty() => {
                std::iter::once(Ok(seed.clone())).chain(ids.iter().map(|id| priority::coerce(NAME, id))).collect()
            }
            _ => plan_err!("{NAME}: a seed and at least one id are needed, not {} arguments", given.len()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let seed = priority::seed(&Literals::running(NAME, &args.args))?;
        make_scalar_function(move |args| uniform(seed, args), vec![])(&args.args[1..])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn uniform(seed: u64, key: &[ArrayRef]) -> Result<ArrayRef> {
    let (bits, nulls) = priority::random_bits(seed, key)?;
    let numbers: Vec<f64> = bits.into_iter().map(unit_interval).collect();
    Ok(Arc::new(Float64Array::new(numbers.into(), nulls)))
}
