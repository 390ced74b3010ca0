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
use crate::kernels::wide::Wide;

const NAME: &str = "vec_spread";

const PARAMETERS: [Parameter; 2] = [required("vector", Kind::Numbers), optional("measure", Kind::Any)];

/// Measures the spread of vectors, coordinate by coordinate.
#[user_doc(
    doc_section(label = "Score Aggregates"),
    description = "Standard deviation of each value over the vectors of a group, as a list of 64-bit numbers; divided by the \
number of vectors, not by one less. Of the gradients of the true class by the input at several checkpoints its mean, \
`array_avg(vec_spread(g))`, is the variance of gradients, VoG (Agarwal, D'souza and Hooker, Estimating example difficulty using \
variance of gradients, 2022); scale it with `zscore` in each class. One pass, and states merge; the order of the rows does not show. NULL vectors do \
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
        let lists = SUMS.map(|name| field(name, list_of(DataType::Float64)));
        Ok(std::iter::once(field("count", DataType::UInt64)).chain(lists).collect())
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

/// The lists of a state: high and low parts of both sums.
const SUMS: [&str; 4] = ["sums", "sums_low", "squares", "squares_low"];

/// Reads the sums in a row of states.
fn wides((high, low): &(Lists<'_>, Lists<'_>), row: usize) -> Result<Option<Vec<Wide>>> {
    let (mut highs, mut lows) = (vec![], vec![]);
    if high.get(row, &mut highs)?.is_none() || low.get(row, &mut lows)?.is_none() {
        return Ok(None);
    }
    Ok(Some(highs.into_iter().zip(lows).map(|(high, low)| Wide { high, low }).collect()))
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
                    self.spread.sums.len(),
                    vector.len()
                );
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let counts = states[0].as_primitive::<UInt64Type>();
        let lists = [1, 2, 3, 4].map(|at| Lists::try_new(NAME, SUMS[at - 1], &states[at]));
        let [sums, sums_low, squares, squares_low] = lists;
        let (sums, squares) = ((sums?, sums_low?), (squares?, squares_low?));
        for row in 0..counts.len() {
            let (Some(own), Some(own_squares)) = (wides(&sums, row)?, wides(&squares, row)?) else { continue };
            let other = Spread { count: counts.value(row), sums: own, squares: own_squares };
            if !self.spread.merge(&other) {
                let (a, b) = (self.spread.sums.len(), other.sums.len());
                return exec_err!("{NAME}: vectors of {a} and {b} values in a group");
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let Spread { count, sums, squares } = &self.spread;
        let high = |sums: &[Wide]| list_scalar(Some(&sums.iter().map(|sum| sum.high).collect()));
        let low = |sums: &[Wide]| list_scalar(Some(&sums.iter().map(|sum| sum.low).collect()));
        Ok(vec![(*count).into(), high(sums), low(sums), high(squares), low(squares)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let root = self.root;
        let values: Vec<f64> = self.spread.variances().map(|v| if root { v.sqrt() } else { v }).collect();
        Ok(list_scalar((self.spread.count > 0).then_some(&values)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + (self.spread.sums.capacity() + self.spread.squares.capacity()) * size_of::<Wide>()
    }
}
