//! `el2n(probs, label)`.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use datafusion_macros::user_doc;

use super::lists::{Lists, class, column};
use super::parameters::{Kind, Parameter, coerce, required, signature};
use crate::kernels::scores::gradient;

const NAME: &str = "el2n";

const PARAMETERS: [Parameter; 2] = [required("probs", Kind::Numbers), required("label", Kind::Integer)];

/// Norm of the error vector of a prediction.
#[user_doc(
    doc_section(label = "Score Functions"),
    description = "EL2N score `|p - y|`, the norm of the difference of predicted and true class probabilities (Paul, Ganguli and Dziugaite, Deep \
learning on a data diet, 2021): from 0 to the square root of 2; the higher, the harder. Average it over runs at one early step. Probabilities are at least 0 and sum to one within 0.001 (0.01 in half precision). \
NULL gives NULL; a label outside the classes is an error.",
    syntax_example = "el2n(probs, label)",
    sql_example = r#"```sql
> SELECT el2n([0.7, 0.2, 0.1], 0) AS easy, el2n([0.7, 0.2, 0.1], 2) AS hard;
+---------------------+--------------------+
| easy                | hard               |
+---------------------+--------------------+
| 0.37416573867739417 | 1.1575836902790224 |
+---------------------+--------------------+
```"#,
    argument(name = "probs", description = "List of probabilities, one a class."),
    argument(name = "label", description = "The true class, an integer from 0."),
    related_udf(name = "grand"),
    related_udf(name = "margin")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct El2n {
    signature: Signature,
}

impl Default for El2n {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for El2n {
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
    let lists = Lists::try_new(NAME, "probs", &args[0])?;
    let labels = args[1].as_primitive::<Int64Type>();
    let mut buffer = vec![];
    column(labels.len(), |row| match lists.probabilities(row, &mut buffer)? {
        Some(probs) if labels.is_valid(row) => {
            let label = class(NAME, labels.value(row), probs.len())?;
            Ok(Some(gradient::el2n(probs, label)))
        }
        _ => Ok(None),
    })
}
