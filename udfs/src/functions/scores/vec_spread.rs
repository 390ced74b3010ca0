//! `vec_spread(vector [, measure])`.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, UInt64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Documentation, Signature};
use datafusion_macros::user_doc;

use super::lists::{Lists, list_scalar};
use super::parameters::{Kind, Parameter, coerce, list_of, optional, required, signature};
use crate::functions::literals::Literals;
use crate::kernels::scores::spread::Spread;

const NAME: &str = "vec_spread";

const PARAMETERS: [Parameter; 2] = [required("vector", Kind::Numbers), optional("measure", Kind::Any)];

/// The spread of vectors, value by value.
#[user_doc(
    doc_section(label = "Score Aggregates"),
    description = "Standard deviation of each value over the vectors of a group, as a list of 64-bit numbers; divided by the \
number of vectors, not by one less. Of the gradients of the true class by the input at several checkpoints its mean, \
`array_avg(vec_spread(g))`, is the variance of gradients, VoG (Agarwal, D'souza and Hooker, Estimating example difficulty using \
variance of gradients, 2022); scale it with `zscore` in each class. One pass by Welford's method, which merges. NULL vectors do \
not count, and without any the result is NULL; vectors of different length, NaN, infinity and NULL among the values are errors.",
    syntax_example = "vec_spread(vector [, measure])",
    sql_example = r#"```sql
> SELECT vec_spread(g) AS std, vec_spread(g, 'var') AS var FROM (VALUES ([1.0, 2.0]), ([3.0, 2.0])) AS t(g);
+------------+------------+
| std        | var        |
+------------+------------+
| [1.0, 0.0] | [1.0, 0.0] |
+------------+------------+
```"#,
    argument(name = "vector", description = "List of numbers, of one length in a group."),
    argument(name = "measure", description = "Literal `'std'` (the default) or `'var'`, its square."),
    related_udf(name = "zscore")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct VecSpread {
    signature: Signature,
}

impl Default for VecSpread {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl AggregateUDFImpl for VecSpread {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_of(DataType::Float64))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let root = Literals::aggregated(NAME, args.exprs).choice(1, "measure", &["std", "var"])? == "std";
        Ok(Box::new(SpreadAccumulator { spread: Spread::default(), root }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |name, data_type| Field::new(format_state_name(args.name, name), data_type, true).into();
        let numbers = || list_of(DataType::Float64);
        Ok(vec![field("count", DataType::UInt64), field("mean", numbers()), field("squares", numbers())])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

#[derive(Debug)]
struct SpreadAccumulator {
    spread: Spread,
    root: bool,
}

impl Accumulator for SpreadAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let lists = Lists::try_new(NAME, "vector", &values[0])?;
        let mut buffer = vec![];
        for row in 0..values[0].len() {
            if let Some(vector) = lists.finite(row, &mut buffer)?
                && !self.spread.add(vector)
            {
                return exec_err!(
                    "{NAME}: vectors of {} and {} values in a group",
                    self.spread.mean.len(),
                    vector.len()
                );
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let counts = states[0].as_primitive::<UInt64Type>();
        let (means, squares) =
            (Lists::try_new(NAME, "mean", &states[1])?, Lists::try_new(NAME, "squares", &states[2])?);
        for row in 0..counts.len() {
            let mut other = Spread { count: counts.value(row), ..Spread::default() };
            if means.get(row, &mut other.mean)?.is_none() || squares.get(row, &mut other.squares)?.is_none() {
                continue;
            }
            if !self.spread.merge(&other) {
                let (a, b) = (self.spread.mean.len(), other.mean.len());
                return exec_err!("{NAME}: vectors of {a} and {b} values in a group");
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let Spread { count, mean, squares } = &self.spread;
        Ok(vec![(*count).into(), list_scalar(Some(mean)), list_scalar(Some(squares))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let root = self.root;
        let values: Vec<f64> = self.spread.variances().map(|v| if root { v.sqrt() } else { v }).collect();
        Ok(list_scalar((self.spread.count > 0).then_some(&values)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + (self.spread.mean.capacity() + self.spread.squares.capacity()) * size_of::<f64>()
    }
}
