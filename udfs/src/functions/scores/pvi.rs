//! `pvi(p_cond, p_null)`.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, exec_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use datafusion_macros::user_doc;

use super::lists::column;
use super::parameters::{Kind, Parameter, coerce, required, signature};

const NAME: &str = "pvi";

const PARAMETERS: [Parameter; 2] = [required("p_cond", Kind::Number), required("p_null", Kind::Number)];

/// Returns how much the input tells about the label.
#[user_doc(
    doc_section(label = "Score Functions"),
    description = "Pointwise V-information in bits, `log2 p_cond - log2 p_null`: what the input tells a model about the label (Ethayarajh, Choi and \
Swayamdipta, Understanding dataset difficulty with V-usable information, 2022). Below 0 the label is unexpected. `p_cond` of 0 gives minus \
infinity. NULL gives NULL; values outside [0, 1], NaN, and a `p_null` of 0 are errors.",
    syntax_example = "pvi(p_cond, p_null)",
    sql_example = r#"```sql
> SELECT pvi(0.8, 0.1) AS usable, pvi(0.05, 0.1) AS suspicious;
+--------+---------------------+
| usable | suspicious          |
+--------+---------------------+
| 3.0    | -1.0000000000000004 |
+--------+---------------------+
```"#,
    argument(name = "p_cond", description = "Probability of the label that a model with the input gives."),
    argument(
        name = "p_null",
        description = "The same of a model without the input; the share of the label among the rows serves."
    ),
    related_udf(name = "el2n")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Pvi {
    signature: Signature,
}

impl Default for Pvi {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for Pvi {
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
    let (with, without) = (args[0].as_primitive::<Float64Type>(), args[1].as_primitive::<Float64Type>());
    column(with.len(), |row| {
        if with.is_null(row) || without.is_null(row) {
            return Ok(None);
        }
        let (with, without) = (with.value(row), without.value(row));
        if !(0.0..=1.0).contains(&with) {
            return exec_err!("{NAME}: p_cond must be a probability, not {with}");
        }
        if !(without > 0.0 && without <= 1.0) {
            return exec_err!("{NAME}: p_null must be a probability above 0, not {without}");
        }
        Ok(Some(libm::log2(with) - libm::log2(without)))
    })
}
