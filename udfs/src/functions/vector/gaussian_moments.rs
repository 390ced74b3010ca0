//! `gaussian_moments(vec)`.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Documentation, Signature, Volatility};
use datafusion_macros::user_doc;

use super::embeddings;
use super::moments::{Moments, moments_type};

const NAME: &str = "gaussian_moments";

/// Collects the moments from which mean and covariance follow.
#[user_doc(
    doc_section(label = "Vector Functions"),
    description = "Count, sums and sums of products of the vectors of a group: a struct with the fields `count`, `sum` and `products` \
(of values i and j with i <= j, row by row), from which mean and covariance follow. Also joins moments, so that those of parts can \
be kept and added up, as in a window. NULL does not count; a group without rows has count 0 and empty lists. Sums are exact to \
2^-58 a row and do not depend on the order of the rows. NaN, infinite and NULL values, values beyond 65536 and vectors of different \
lengths are errors. O(d^2) time a row and memory a group: project vectors of more than a few hundred dimensions first.",
    syntax_example = "gaussian_moments(vec)",
    alternative_syntax = "gaussian_moments(moments)",
    sql_example = r#"```sql
> SELECT gaussian_moments(v) AS moments FROM (VALUES ([1.0, 2.0]), ([3.0, 6.0])) AS t(v);
+-----------------------------------------------------------+
| moments                                                   |
+-----------------------------------------------------------+
| {count: 2, sum: [4.0, 8.0], products: [10.0, 20.0, 40.0]} |
+-----------------------------------------------------------+
```"#,
    argument(name = "vec", description = "A vector, or moments."),
    related_udf(name = "frechet_distance"),
    related_udf(name = "random_projection")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct GaussianMoments {
    signature: Signature,
}

impl Default for GaussianMoments {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for GaussianMoments {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(moments_type())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [DataType::Struct(_)] => Ok(vec![moments_type()]),
            [vec] => Ok(vec![embeddings::coerce(NAME, vec)?]),
            _ => plan_err!("{NAME} takes one vector, not {} arguments", given.len()),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return plan_err!("{NAME} does not take DISTINCT");
        }
        Ok(Box::new(Sums(Moments::new(NAME, true))))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(Moments::state_fields(args.name))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

#[derive(Debug)]
struct Sums(Moments);

impl Accumulator for Sums {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        match values[0].data_type() {
            DataType::Struct(_) => self.0.add_moments(&values[0]),
            _ => self.0.add(&values[0]),
        }
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.scalar()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(self.0.state())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge(states)
    }
}
