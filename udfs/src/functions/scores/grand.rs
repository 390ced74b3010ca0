//! `grand(probs, label, h_sq [, bias])`.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion_macros::user_doc;

use super::lists::{Lists, class, column, squared_norm};
use super::parameters::{Kind, Parameter, coerce, optional, required, signature};
use crate::functions::literals::Literals;
use crate::kernels::scores::gradient;

const NAME: &str = "grand";

const PARAMETERS: [Parameter; 4] = [
    required("probs", Kind::Numbers),
    required("label", Kind::Integer),
    required("h_sq", Kind::Number),
    optional("bias", Kind::Any),
];

/// Norm of the gradient of the last layer.
#[user_doc(
    doc_section(label = "Score Functions"),
    description = "GraNd score of the last layer: the norm of the gradient of the cross-entropy by its weights and bias, in closed form \
`|p - y| sqrt(h_sq + 1)`; without a bias `|p - y| sqrt(h_sq)` (Paul, Ganguli and Dziugaite, Deep learning on a data diet, 2021). Its square \
times the learning rate, summed over steps, is TracIn of the row with itself. Probabilities are at least 0 and sum to one within 0.001 (0.01 in half precision). NULL gives NULL; a label outside the classes and a \
negative `h_sq` are errors.",
    syntax_example = "grand(probs, label, h_sq [, bias])",
    sql_example = r#"```sql
> SELECT grand([0.7, 0.2, 0.1], 2, 3.0) AS with_bias, grand([0.7, 0.2, 0.1], 2, 3.0, false) AS without;
+-------------------+-------------------+
| with_bias         | without           |
+-------------------+-------------------+
| 2.315167380558045 | 2.004993765576342 |
+-------------------+-------------------+
```"#,
    argument(name = "probs", description = "List of probabilities, one a class."),
    argument(name = "label", description = "The true class, an integer from 0."),
    argument(name = "h_sq", description = "Squared norm of the input of the last layer."),
    argument(name = "bias", description = "Literal: whether the layer has a bias; true by default."),
    related_udf(name = "el2n"),
    related_udf(name = "weight_delta")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Grand {
    signature: Signature,
}

impl Default for Grand {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for Grand {
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
        Literals::planned(NAME, &args).flag(3, "bias")?;
        Ok(Field::new(NAME, DataType::Float64, true).into())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let bias = Literals::running(NAME, &args.args).flag(3, "bias")?.unwrap_or(true);
        make_scalar_function(move |args| scores(bias, args), vec![])(&args.args[..3])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn scores(bias: bool, args: &[ArrayRef]) -> Result<ArrayRef> {
    let lists = Lists::try_new(NAME, "probs", &args[0])?;
    let labels = args[1].as_primitive::<Int64Type>();
    let norms = args[2].as_primitive::<Float64Type>();
    let mut buffer = vec![];
    column(labels.len(), |row| match lists.probabilities(row, &mut buffer)? {
        Some(probs) if labels.is_valid(row) && norms.is_valid(row) => {
            let label = class(NAME, labels.value(row), probs.len())?;
            Ok(Some(gradient::grand(probs, label, squared_norm(NAME, norms.value(row))?, bias)))
        }
        _ => Ok(None),
    })
}
