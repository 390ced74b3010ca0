//! `topsis_stats(values)`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Documentation, Signature};
use datafusion_macros::user_doc;

use super::lists::{Lists, list_scalar};
use super::parameters::{Kind, Parameter, coerce, list_of, required, signature};
use crate::kernels::wide::Wide;

const NAME: &str = "topsis_stats";

const PARAMETERS: [Parameter; 1] = [required("values", Kind::Numbers)];

/// An additional field of the state: the low-order part of the sums of squares.
const LOW: &str = "sum_squares_low";

/// The fields of the statistics: lists with one value per criterion.
const FIELDS: [&str; 3] = ["sum_squares", "min", "max"];

/// Computes the column statistics that `topsis_closeness` needs.
#[user_doc(
    doc_section(label = "Score Aggregates"),
    description = "What `topsis_closeness` must know of all rows: for each criterion, a value of the list, the sum of its squares, \
the least and the greatest value, as a struct of the lists `sum_squares`, `min` and `max`. One pass, and states merge; the order of the rows does not show. NULL lists \
do not count, and without any the result is NULL; lists of different length, NaN, infinity and NULL among the values are errors.",
    syntax_example = "topsis_stats(values)",
    sql_example = r#"```sql
> SELECT topsis_stats(v) AS stats FROM (VALUES ([1.0, 4.0]), ([3.0, -4.0])) AS t(v);
+----------------------------------------------------------------+
| stats                                                          |
+----------------------------------------------------------------+
| {sum_squares: [10.0, 32.0], min: [1.0, -4.0], max: [3.0, 4.0]} |
+----------------------------------------------------------------+
```"#,
    argument(name = "values", description = "List of numbers, one a criterion."),
    related_udf(name = "topsis_closeness")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TopsisStats {
    signature: Signature,
}

impl Default for TopsisStats {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

fn fields() -> Fields {
    FIELDS.map(|name| Field::new(name, list_of(DataType::Float64), true)).into_iter().collect()
}

impl AggregateUDFImpl for TopsisStats {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Totals::default()))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |name| Field::new(format_state_name(args.name, name), list_of(DataType::Float64), true).into();
        Ok([FIELDS[0], LOW, FIELDS[1], FIELDS[2]].map(field).to_vec())
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

/// The statistics of every criterion.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// The sum of squares of each criterion.
    pub(super) sum_squares: Vec<f64>,
    /// The minimum of each criterion.
    pub(super) min: Vec<f64>,
    /// The maximum of each criterion.
    pub(super) max: Vec<f64>,
}

/// The statistics while they are accumulated.
#[derive(Debug, Default)]
struct Totals {
    seen: bool,
    sum_squares: Vec<Wide>,
    min: Vec<f64>,
    max: Vec<f64>,
}

impl Totals {
    /// Prepares for rows with that many criteria.
    fn expect(&mut self, criteria: usize) -> Result<()> {
        if !self.seen {
            self.seen = true;
            self.sum_squares = vec![Wide::default(); criteria];
            self.min = vec![f64::INFINITY; criteria];
            self.max = vec![f64::NEG_INFINITY; criteria];
        }
        if criteria != self.min.len() {
            return exec_err!("{NAME}: lists of {} and {criteria} values", self.min.len());
        }
        Ok(())
    }

    fn extend(&mut self, min: &[f64], max: &[f64]) {
        self.min.iter_mut().zip(min).for_each(|(own, other)| *own = own.min(*other));
        self.max.iter_mut().zip(max).for_each(|(own, other)| *own = own.max(*other));
    }

    fn list(&self, values: impl Iterator<Item = f64>) -> ScalarValue {
        list_scalar(self.seen.then(|| values.collect()).as_ref())
    }

    /// Sums of squares, minima and maxima as list scalars.
    fn lists(&self) -> [ScalarValue; 3] {
        let sum_squares = self.list(self.sum_squares.iter().map(|sum| sum.value()));
        [sum_squares, self.list(self.min.iter().copied()), self.list(self.max.iter().copied())]
    }
}

impl Accumulator for Totals {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let lists = Lists::try_new(NAME, "values", &values[0])?;
        let mut buffer = vec![];
        for row in 0..values[0].len() {
            if let Some(values) = lists.finite(row, &mut buffer)? {
                self.expect(values.len())?;
                self.sum_squares.iter_mut().zip(values.iter()).for_each(|(sum, value)| sum.add_square(*value));
                self.extend(values, values);
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let view = StatsView { nulls: None, lists: lists(NAME, [&states[0], &states[2], &states[3]])? };
        let low = Lists::try_new(NAME, LOW, &states[1])?;
        let mut buffer = vec![];
        for row in 0..states[0].len() {
            let (Some(other), Some(low)) = (view.get(row)?, low.get(row, &mut buffer)?) else { continue };
            self.expect(other.min.len())?;
            let sums = other.sum_squares.iter().zip(low.iter()).map(|(high, low)| Wide { high: *high, low: *low });
            self.sum_squares.iter_mut().zip(sums).for_each(|(own, other)| own.merge(other));
            self.extend(&other.min, &other.max);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let high = self.list(self.sum_squares.iter().map(|sum| sum.high));
        let low = self.list(self.sum_squares.iter().map(|sum| sum.low));
        let [_, min, max] = self.lists();
        Ok(vec![high, low, min, max])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if !self.seen {
            return ScalarValue::try_new_null(&DataType::Struct(fields()));
        }
        let columns = self.lists().iter().map(ScalarValue::to_array).collect::<Result<Vec<_>>>()?;
        Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(fields(), columns, None)?)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + 4 * self.min.capacity() * size_of::<f64>()
    }
}

/// A column of statistics.
pub(super) struct StatsView<'a> {
    nulls: Option<&'a NullBuffer>,
    lists: [Lists<'a>; 3],
}

fn lists<'a>(function: &'static str, columns: [&'a ArrayRef; 3]) -> Result<[Lists<'a>; 3]> {
    let [a, b, c] = columns;
    let view = |at: usize, array| Lists::try_new(function, FIELDS[at], array);
    Ok([view(0, a)?, view(1, b)?, view(2, c)?])
}

impl<'a> StatsView<'a> {
    /// Checks that a column of that type can hold statistics. The error says how to compute them.
    pub(super) fn check_type(function: &str, data_type: &DataType) -> Result<()> {
        match data_type {
            DataType::Struct(found) if FIELDS.iter().all(|name| found.find(name).is_some()) => Ok(()),
            other => plan_err!("{function}: stats must be a result of {NAME}, not {other}"),
        }
    }

    /// Creates a view of the argument of `function`.
    pub(super) fn try_new(function: &'static str, array: &'a ArrayRef) -> Result<Self> {
        let found = array.as_struct_opt().and_then(|stats| {
            let column = |name| stats.column_by_name(name);
            Some([column(FIELDS[0])?, column(FIELDS[1])?, column(FIELDS[2])?])
        });
        match found {
            Some(columns) => Ok(Self { nulls: array.nulls(), lists: lists(function, columns)? }),
            None => exec_err!("{function}: stats must be a result of {NAME}, not {}", array.data_type()),
        }
    }

    /// The statistics of a row; `None` if they are NULL.
    pub(super) fn get(&self, row: usize) -> Result<Option<Columns>> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(None);
        }
        let mut columns = Columns::default();
        let [sum_squares, min, max] = &self.lists;
        let given = sum_squares.get(row, &mut columns.sum_squares)?.is_some()
            && min.get(row, &mut columns.min)?.is_some()
            && max.get(row, &mut columns.max)?.is_some();
        Ok(given.then_some(columns))
    }
}
