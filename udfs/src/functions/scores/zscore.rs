//! `zscore(x) OVER (...)`.

use arrow::array::Float64Array;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{Documentation, PartitionEvaluator, Signature, WindowUDFImpl};
use datafusion_macros::user_doc;

use super::parameters::{coerce, signature};
use super::rescale::{PARAMETERS, Rescaler};
use crate::kernels::wide::Wide;

const NAME: &str = "zscore";

/// Standardises the numbers of a partition: their distance from the mean in standard deviations.
#[user_doc(
    doc_section(label = "Score Windows"),
    description = "Standard score of the numbers of a partition: `(x - mean) / deviation`, with the standard deviation of the whole partition (divided \
by the number of rows); 0 where all are the same. It looks at the whole partition, whatever the order or frame of the window. NULL \
stays NULL and does not count; NaN and infinity are errors.",
    syntax_example = "zscore(x) OVER (...)",
    sql_example = r#"```sql
> SELECT g, x, zscore(x) OVER (PARTITION BY g) AS z
    FROM (VALUES ('a', 1.0), ('a', 3.0), ('b', 7.0)) AS t(g, x) ORDER BY g, x;
+---+-----+------+
| g | x   | z    |
+---+-----+------+
| a | 1.0 | -1.0 |
| a | 3.0 | 1.0  |
| b | 7.0 | 0.0  |
+---+-----+------+
```"#,
    argument(name = "x", description = "A number."),
    related_udf(name = "minmax_scale")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Zscore {
    signature: Signature,
}

impl Default for Zscore {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl WindowUDFImpl for Zscore {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Field::new(args.name(), DataType::Float64, true).into())
    }

    fn partition_evaluator(&self, _: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Rescaler { function: NAME, scale }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn scale(numbers: &Float64Array) -> (f64, f64) {
    let (mut sum, mut squares) = (Wide::default(), Wide::default());
    let count = numbers.iter().flatten().map(|number| sum.add(number)).count() as f64;
    let mean = sum.value() / count;
    numbers.iter().flatten().for_each(|number| squares.add_square(number - mean));
    (mean, (squares.value() / count).sqrt())
}
