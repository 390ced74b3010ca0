//! `margin(values, label)`.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use datafusion_macros::user_doc;

use super::lists::{Lists, class, column};
use super::parameters::{Kind, Parameter, coerce, required, signature};
use crate::kernels::scores::gradient;

const NAME: &str = "margin";

const PARAMETERS: [Parameter; 2] = [required("values", Kind::Numbers), required("label", Kind::Integer)];

/// Returns how far the score of the label exceeds that of the best other class.
#[user_doc(
    doc_section(label = "Score Functions"),
    description = "Margin of the true class: its value less that of the best other class. Positive where the prediction is right. Its sum or mean \
over the steps of training is the area under the margin, AUM (Pleiss et al., Identifying mislabeled data using the area under the margin \
ranking, 2020, with logits; Zheng et al., Coverage-centric coreset selection, 2023, with probabilities): the lower, the likelier is the \
label wrong. NULL gives NULL; NaN and infinity, fewer than two classes and a label outside them are errors.",
    syntax_example = "margin(values, label)",
    sql_example = r#"```sql
> SELECT margin([0.7, 0.2, 0.1], 0) AS right, margin([0.7, 0.2, 0.1], 2) AS wrong;
+---------------------+-------+
| right               | wrong |
+---------------------+-------+
| 0.49999999999999994 | -0.6  |
+---------------------+-------+
```"#,
    argument(name = "values", description = "List of probabilities or logits, one a class."),
    argument(name = "label", description = "The true class, an integer from 0."),
    related_udf(name = "el2n"),
    related_udf(name = "softmax")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Margin {
    signature: Signature,
}

impl Default for Margin {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for Margin {
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
        coerce(NAME, &PARAMETERS, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(scores, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn scores(args: &[ArrayRef]) -> Result<ArrayRef> {
    let lists = Lists::try_new(NAME, "values", &args[0])?;
    let labels = args[1].as_primitive::<Int64Type>();
    let mut buffer = vec![];
    column(labels.len(), |row| match lists.finite(row, &mut buffer)? {
        Some(values) if labels.is_valid(row) => {
            let label = class(NAME, labels.value(row), values.len())?;
            if values.len() < 2 {
                return exec_err!("{NAME}: values has one class; a margin needs two");
            }
            Ok(Some(gradient::margin(values, label)))
        }
        _ => Ok(None),
    })
}
