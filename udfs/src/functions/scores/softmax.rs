//! `softmax(logits [, temperature])`.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion_macros::user_doc;

use super::lists::{Lists, ListsBuilder};
use super::parameters::{Kind, Parameter, coerce, optional, required, signature};
use crate::functions::literals::Literals;
use crate::kernels::scores::probability;

const NAME: &str = "softmax";

const PARAMETERS: [Parameter; 2] = [required("logits", Kind::Numbers), optional("temperature", Kind::Any)];

/// Converts logits to probabilities.
#[user_doc(
    doc_section(label = "Score Functions"),
    description = "Probabilities of logits: `exp(z / temperature)`, normalised, computed in 64 bits and returned as the list came. A logit of \
minus infinity is a class that cannot be. NULL gives NULL; NaN, infinity, or minus infinity everywhere, is an error.",
    syntax_example = "softmax(logits [, temperature])",
    sql_example = r#"```sql
> SELECT softmax([2.0, 1.0, 0.0]) AS p, softmax([2.0, 1.0, 0.0], 0.5) AS sharper;
+----------------------------------------------------------------+-----------------------------------------------------------------+
| p                                                              | sharper                                                         |
+----------------------------------------------------------------+-----------------------------------------------------------------+
| [0.6652409557748218, 0.24472847105479764, 0.09003057317038046] | [0.8668133321973347, 0.11731042782619835, 0.015876239976466762] |
+----------------------------------------------------------------+-----------------------------------------------------------------+
```"#,
    argument(name = "logits", description = "List of numbers, one a class."),
    argument(name = "temperature", description = "Number literal above 0, 1 by default; below 1 it sharpens."),
    related_udf(name = "entropy"),
    related_udf(name = "margin")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Softmax {
    signature: Signature,
}

impl Default for Softmax {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for Softmax {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(given[0].clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        temperature(&Literals::planned(NAME, &args))?;
        Ok(Field::new(NAME, args.arg_fields[0].data_type().clone(), true).into())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let temperature = temperature(&Literals::running(NAME, &args.args))?;
        make_scalar_function(move |args| scores(temperature, args), vec![])(&args.args[..1])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn temperature(literals: &Literals<'_>) -> Result<f64> {
    Ok(literals.number(1, "temperature", 1e-6..=1e6)?.unwrap_or(1.0))
}

fn scores(temperature: f64, args: &[ArrayRef]) -> Result<ArrayRef> {
    let lists = Lists::try_new(NAME, "logits", &args[0])?;
    let mut buffer = vec![];
    let mut out = ListsBuilder::new(args[0].data_type(), args[0].len());
    for row in 0..args[0].len() {
        let logits = lists.get(row, &mut buffer)?;
        out.append(match logits {
            Some(logits) => {
                probability::softmax(logits, temperature)
                    .map_err(|fault| exec_datafusion_err!("{NAME}: logits {fault}"))?;
                Some(&*logits)
            }
            None => None,
        });
    }
    out.finish()
}
