//! `frechet_distance(a, b)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use super::embeddings;
use super::moments::{gaussian, moments_type};
use crate::kernels::vector::gaussian::frechet_distance;

const NAME: &str = "frechet_distance";

/// Returns the Frechet distance of two sets of vectors, taken as normal distributions.
#[user_doc(
    doc_section(label = "Vector Functions"),
    description = "Frechet distance of two sets of vectors, each taken as a normal distribution: `|m1 - m2|^2 + tr(S1 + S2 - \
2 (S1 S2)^(1/2))` (Dowson and Landau 1982), from their moments. Covariances have the divisor n - 1; that of a single row is zero. \
NULL or moments of no row give NULL; different numbers of dimensions are an error. O(d^3).",
    syntax_example = "frechet_distance(a, b)",
    sql_example = r#"```sql
> SELECT frechet_distance(gaussian_moments(a), gaussian_moments(b)) AS distance
> FROM (VALUES ([0.0, 0.0], [3.0, 4.0]), ([2.0, 2.0], [5.0, 6.0])) AS t(a, b);
+----------+
| distance |
+----------+
| 25.0     |
+----------+
```"#,
    argument(name = "a", description = "Moments, from `gaussian_moments`."),
    argument(name = "b", description = "Moments of as many dimensions."),
    related_udf(name = "gaussian_moments")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct FrechetDistance {
    signature: Signature,
}

impl Default for FrechetDistance {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for FrechetDistance {
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
        match given {
            [a, b] => match [a, b].into_iter().find(|t| !matches!(t, DataType::Struct(_) | DataType::Null)) {
                Some(other) => plan_err!("{NAME}: moments are what gaussian_moments gives, not {other}"),
                None => Ok(vec![moments_type(), moments_type()]),
            },
            _ => plan_err!("{NAME} takes two moments, not {} arguments", given.len()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(distances, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn distances(args: &[ArrayRef]) -> Result<ArrayRef> {
    let distances = (0..args[0].len()).map(|row| {
        let (Some(a), Some(b)) = (gaussian(NAME, &args[0], row)?, gaussian(NAME, &args[1], row)?) else {
            return Ok(None);
        };
        if a.mean.len() != b.mean.len() {
            return embeddings::mixed(NAME, a.mean.len(), b.mean.len());
        }
        Ok(Some(frechet_distance(&a, &b)))
    });
    Ok(Arc::new(distances.collect::<Result<Float64Array>>()?))
}
