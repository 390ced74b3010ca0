//! `topsis_closeness(values, stats [, directions [, weights]])`.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion_macros::user_doc;

use super::lists::{Lists, column};
use super::parameters::{Kind, Parameter, coerce, optional, required, signature};
use super::topsis_stats::StatsView;
use crate::functions::literals::Literals;
use crate::functions::strings::Strings;
use crate::kernels::scores::topsis::{Criterion, closeness};

const NAME: &str = "topsis_closeness";

const PARAMETERS: [Parameter; 4] = [
    required("values", Kind::Numbers),
    required("stats", Kind::Any),
    optional("directions", Kind::Any),
    optional("weights", Kind::Any),
];

/// Returns how close a row is to the ideal over several criteria.
#[user_doc(
    doc_section(label = "Score Functions"),
    description = "TOPSIS closeness of a row to the ideal, from 0 to 1, the higher the better (Hwang and Yoon, Multiple attribute decision making, 1981): \
each criterion is divided by the norm of its column and weighted; the score is `d- / (d+ + d-)`, the distances from the worst and the best \
values of all rows. 0.5 where all rows are the same. NULL gives NULL; NaN, infinity, NULL among the values, and lists of another length than \
the statistics are errors.",
    syntax_example = "topsis_closeness(values, stats [, directions [, weights]])",
    sql_example = r#"```sql
> SELECT name, topsis_closeness(v, s, ['-', '+']) AS closeness
    FROM (SELECT name, v, topsis_stats(v) OVER () AS s
      FROM (VALUES ('a', [250.0, 16.0]), ('b', [200.0, 8.0]), ('c', [300.0, 32.0])) AS t(name, v)) ORDER BY name;
+------+---------------------+
| name | closeness           |
+------+---------------------+
| a    | 0.35307608111397937 |
| b    | 0.25824569976124334 |
| c    | 0.7417543002387567  |
+------+---------------------+
```"#,
    argument(name = "values", description = "List of numbers, one a criterion."),
    argument(name = "stats", description = "What `topsis_stats` says of that column."),
    argument(
        name = "directions",
        description = "List literal of `'+'`, more is better, and `'-'`, less is better; all `'+'` by default."
    ),
    argument(
        name = "weights",
        description = "List literal of positive numbers; equal by default. Their sum does not matter."
    ),
    related_udf(name = "topsis_stats"),
    related_udf(name = "weight_delta")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TopsisCloseness {
    signature: Signature,
}

impl Default for TopsisCloseness {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for TopsisCloseness {
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
        // List literals are not folded at planning time, so they are checked when the query runs.
        StatsView::check_type(NAME, args.arg_fields[1].data_type())?;
        Ok(Field::new(NAME, DataType::Float64, true).into())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let literals = Literals::running(NAME, &args.args);
        let (directions, weights) = (directions(&literals)?, weights(&literals)?);
        make_scalar_function(move |args| scores(directions.as_deref(), weights.as_deref(), args), vec![])(
            &args.args[..2],
        )
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

/// For each criterion, whether higher values are better.
fn directions(literals: &Literals<'_>) -> Result<Option<Vec<bool>>> {
    let Some(list) = literals.list(2, "directions")? else { return Ok(None) };
    let words = Strings::try_new(&list, "directions")?;
    let signs = words.iter().map(|word| match word {
        Some("+") => Ok(true),
        Some("-") => Ok(false),
        other => plan_err!("{NAME}: directions must be '+' or '-', not {}", other.unwrap_or("NULL")),
    });
    signs.collect::<Result<_>>().map(Some)
}

fn weights(literals: &Literals<'_>) -> Result<Option<Vec<f64>>> {
    let Some(list) = literals.list(3, "weights")? else { return Ok(None) };
    let numbers = arrow::compute::cast(&list, &DataType::Float64)?;
    let weights = numbers.as_primitive::<Float64Type>().iter().map(|weight| match weight {
        Some(weight) if weight >= 0.0 && weight.is_finite() => Ok(weight),
        other => plan_err!("{NAME}: weights must be finite numbers of at least 0, not {other:?}"),
    });
    weights.collect::<Result<_>>().map(Some)
}

fn scores(directions: Option<&[bool]>, weights: Option<&[f64]>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let (lists, stats) = (Lists::try_new(NAME, "values", &args[0])?, StatsView::try_new(NAME, &args[1])?);
    let mut buffer = vec![];
    column(args[0].len(), |row| {
        let (Some(values), Some(stats)) = (lists.finite(row, &mut buffer)?, stats.get(row)?) else { return Ok(None) };
        let count = values.len();
        for (name, length) in [
            ("stats", Some(stats.sum_squares.len())),
            ("directions", directions.map(<[bool]>::len)),
            ("weights", weights.map(<[f64]>::len)),
        ] {
            if length.is_some_and(|length| length != count) {
                return exec_err!("{NAME}: values has {count} criteria and {name} has {}", length.unwrap_or_default());
            }
        }
        let criteria: Vec<Criterion> = (0..count)
            .map(|at| Criterion {
                sum_squares: stats.sum_squares[at],
                min: stats.min[at],
                max: stats.max[at],
                benefit: directions.is_none_or(|signs| signs[at]),
                weight: weights.map_or(1.0, |weights| weights[at]),
            })
            .collect();
        Ok(Some(closeness(values, &criteria)))
    })
}
