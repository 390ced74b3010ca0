//! `width_bucket(x, low, high, buckets [, closed])`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, exec_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion_macros::user_doc;

use super::parameters::{Kind, Parameter, coerce, optional, required, signature};
use crate::functions::literals::Literals;
use crate::kernels::scores::bucket::{Closed, bucket};

const NAME: &str = "width_bucket";

const PARAMETERS: [Parameter; 5] = [
    required("x", Kind::Number),
    required("low", Kind::Number),
    required("high", Kind::Number),
    required("buckets", Kind::Any),
    optional("closed", Kind::Any),
];

/// Returns the equal-width bucket of a number.
#[user_doc(
    doc_section(label = "Score Functions"),
    description = "The bucket of `x`, 1 to `buckets`, among buckets of equal width from `low` to `high`, with both ends of the range inside: edge `i` is \
`low + (high - low) * i / buckets`. `'left'`: a bucket holds its lower edge, and the last one `high` too; `'right'`: it holds its upper edge, \
and the first one `low` too. 0 below `low`, `buckets + 1` above `high`. Where `low` is `high`, that value is in bucket 1. NULL gives NULL; NaN, \
infinite ends and `low` above `high` are errors.",
    syntax_example = "width_bucket(x, low, high, buckets [, closed])",
    sql_example = r#"```sql
> SELECT x, width_bucket(x, 0, 1, 4) AS left_closed, width_bucket(x, 0, 1, 4, 'right') AS right_closed FROM (VALUES (0.0), (0.25), (0.3), (1.0), (1.5)) AS t(x);
+------+-------------+--------------+
| x    | left_closed | right_closed |
+------+-------------+--------------+
| 0.0  | 1           | 1            |
| 0.25 | 2           | 1            |
| 0.3  | 2           | 2            |
| 1.0  | 4           | 4            |
| 1.5  | 5           | 5            |
+------+-------------+--------------+
```"#,
    argument(name = "x", description = "A number."),
    argument(name = "low", description = "Lower end of the range."),
    argument(name = "high", description = "Upper end of the range."),
    argument(name = "buckets", description = "Integer literal from 1 to 1000000."),
    argument(
        name = "closed",
        description = "Literal `'left'` (the default) or `'right'`: the end of a bucket that belongs to it."
    ),
    related_udf(name = "minmax_scale")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WidthBucket {
    signature: Signature,
}

impl Default for WidthBucket {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for WidthBucket {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        edges(&Literals::planned(NAME, &args))?;
        Ok(Field::new(NAME, DataType::Int64, true).into())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (buckets, closed) = edges(&Literals::running(NAME, &args.args))?;
        make_scalar_function(move |args| numbers(buckets, closed, args), vec![])(&args.args[..3])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn edges(literals: &Literals<'_>) -> Result<(u64, Closed)> {
    let buckets = literals.int(3, "buckets", 1..=1_000_000)?.unwrap_or(1).unsigned_abs();
    let closed = literals.choice(4, "closed", &["left", "right"])?;
    Ok((buckets, if closed == "left" { Closed::Left } else { Closed::Right }))
}

fn numbers(buckets: u64, closed: Closed, args: &[ArrayRef]) -> Result<ArrayRef> {
    let [xs, lows, highs] = [0, 1, 2].map(|at: usize| args[at].as_primitive::<Float64Type>());
    let numbers = (0..xs.len()).map(|row| {
        if xs.is_null(row) || lows.is_null(row) || highs.is_null(row) {
            return Ok(None);
        }
        let (x, low, high) = (xs.value(row), lows.value(row), highs.value(row));
        if x.is_nan() {
            return exec_err!("{NAME}: x is NaN");
        }
        if !(low <= high && (high - low).is_finite()) {
            return exec_err!("{NAME}: low must be at most high, both finite, not {low} and {high}");
        }
        Ok(Some(bucket(x, low, high, buckets, closed) as i64))
    });
    Ok(Arc::new(numbers.collect::<Result<Int64Array>>()?))
}
