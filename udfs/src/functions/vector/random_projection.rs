//! `random_projection(vec, dimensions, seed)`.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err, internal_err, plan_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use super::embeddings;
use crate::functions::literals::Literals;
use crate::kernels::vector::projection::SignProjection;

const NAME: &str = "random_projection";
const MOST: i64 = 65_536;

/// Projects a vector to fewer dimensions, approximately preserving distances.
#[user_doc(
    doc_section(label = "Vector Functions"),
    description = "The vector multiplied by a matrix of random signs over the square root of `dimensions` (Achlioptas 2003): \
squared lengths and distances are kept on average, with a relative deviation of about sqrt(2 / dimensions). The matrix depends \
on the seed and the two lengths only. Gives a fixed-size list of 32-bit floats. NULL gives NULL; NaN and infinite values are \
errors. O(d * dimensions).",
    syntax_example = "random_projection(vec, dimensions [, seed])",
    sql_example = r#"```sql
> SELECT random_projection([1.0, 2.0, 3.0, 4.0], 2, 42) AS projected;
+-------------------------+
| projected               |
+-------------------------+
| [-1.4142135, -2.828427] |
+-------------------------+
```"#,
    argument(name = "vec", description = "A vector."),
    argument(name = "dimensions", description = "Dimensions of the result, an integer literal from 1 to 65536."),
    argument(name = "seed", description = "Integer literal; 42 by default."),
    related_udf(name = "gaussian_moments")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RandomProjection {
    signature: Signature,
}

impl Default for RandomProjection {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

fn parameters(literals: &Literals<'_>) -> Result<(usize, u64)> {
    let dimensions = literals.int(1, "dimensions", 1..=MOST)?.unwrap_or(1);
    let seed = literals.int(2, "seed", i64::MIN..=i64::MAX)?.unwrap_or(42);
    Ok((usize::try_from(dimensions).unwrap_or(1), seed.cast_unsigned()))
}

fn output(dimensions: usize) -> DataType {
    // The dimension is at most `MOST`.
    DataType::FixedSizeList(embeddings::float_item(DataType::Float32), dimensions as i32)
}

impl ScalarUDFImpl for RandomProjection {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("{NAME}: the type depends on the value of an argument")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let (dimensions, _) = parameters(&Literals::planned(NAME, &args))?;
        Ok(Field::new(NAME, output(dimensions), true).into())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [vec, rest @ ..] if (1..=2).contains(&rest.len()) => {
                Ok([embeddings::coerce(NAME, vec)?].into_iter().chain(rest.iter().cloned()).collect())
            }
            _ => plan_err!("{NAME} takes a vector, dimensions and optionally a seed, not {} arguments", given.len()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (dimensions, seed) = parameters(&Literals::running(NAME, &args.args))?;
        make_scalar_function(move |args| project(args, dimensions, seed), vec![])(&args.args[..1])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn project(args: &[ArrayRef], dimensions: usize, seed: u64) -> Result<ArrayRef> {
    let mut matrix: Option<(usize, SignProjection)> = None;
    embeddings::map(NAME, &args[0], &output(dimensions), |vector, values| {
        let length = vector.len();
        if !vector.iter().all(|x| x.is_finite()) {
            return Err(embeddings::not_finite(NAME, vector));
        }
        if matrix.as_ref().is_none_or(|(from, _)| *from != length) {
            matrix = Some((length, SignProjection::new(length, dimensions, seed)));
        }
        if length == 0 {
            return exec_err!("{NAME}: a vector has no values");
        }
        if let Some((_, matrix)) = &matrix {
            matrix.push(vector, values);
        }
        Ok(true)
    })
}
