//! `minmax_scale(x) OVER (...)`.

use arrow::array::Float64Array;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{Documentation, PartitionEvaluator, Signature, WindowUDFImpl};
use datafusion_macros::user_doc;

use super::parameters::{coerce, signature};
use super::rescale::{PARAMETERS, Rescaler};

const NAME: &str = "minmax_scale";

/// Rescales the numbers of a partition to [0, 1].
#[user_doc(
    doc_section(label = "Score Windows"),
    description = "Moves the numbers of a partition to [0, 1]: `(x - min) / (max - min)`; 0 where all are the same. It looks at the whole partition, \
whatever the order or frame of the window. NULL stays NULL and does not count; NaN and infinity are errors.",
    syntax_example = "minmax_scale(x) OVER (...)",
    sql_example = r#"```sql
> SELECT g, x, minmax_scale(x) OVER (PARTITION BY g) AS scaled
    FROM (VALUES ('a', 2.0), ('a', 3.0), ('a', 6.0), ('b', 7.0)) AS t(g, x) ORDER BY g, x;
+---+-----+--------+
| g | x   | scaled |
+---+-----+--------+
| a | 2.0 | 0.0    |
| a | 3.0 | 0.25   |
| a | 6.0 | 1.0    |
| b | 7.0 | 0.0    |
+---+-----+--------+
```"#,
    argument(name = "x", description = "A number."),
    related_udf(name = "zscore")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct MinmaxScale {
    signature: Signature,
}

impl Default for MinmaxScale {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl WindowUDFImpl for MinmaxScale {
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
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    for number in numbers.iter().flatten() {
        (least, most) = (least.min(number), most.max(number));
    }
    (least, most - least)
}
