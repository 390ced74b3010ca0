//! `weight_delta(logits, probs, label, h_sq, w_norm, lr)`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Builder, NullBufferBuilder, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use datafusion_macros::user_doc;

use super::lists::{Lists, class, squared_norm};
use super::parameters::{Kind, Parameter, coerce, required, signature};
use crate::kernels::scores::gradient;

const NAME: &str = "weight_delta";

const PARAMETERS: [Parameter; 6] = [
    required("logits", Kind::Numbers),
    required("probs", Kind::Numbers),
    required("label", Kind::Integer),
    required("h_sq", Kind::Number),
    required("w_norm", Kind::Number),
    required("lr", Kind::Number),
];

/// Returns the effect of a gradient step on the row on the output weights.
#[user_doc(
    doc_section(label = "Score Functions"),
    description = "Change of the output layer's weights `W` by one gradient step on the row, in closed form (the two criteria of DONOD, 2025): `don`, the \
norm of `W` before less that after, positive where the row shrinks it; `nod`, the norm of the change, `lr |p - y| sqrt(h_sq)`. Probabilities are at least 0 and sum to one within 0.001 (0.01 in half precision). \
NULL gives NULL; lists of different length, a label outside the classes, NaN and negative norms are errors.",
    syntax_example = "weight_delta(logits, probs, label, h_sq, w_norm, lr)",
    sql_example = r#"```sql
> SELECT weight_delta([1.0, -1.0], [0.9, 0.1], 0, 4.0, 2.0, 0.1) AS learned, weight_delta([1.0, -1.0], [0.9, 0.1], 1, 4.0, 2.0, 0.1) AS wrong;
+-------------------------------------------------------+-----------------------------------------------------+
| learned                                               | wrong                                               |
+-------------------------------------------------------+-----------------------------------------------------+
| {don: -0.010174121811341991, nod: 0.0282842712474619} | {don: 0.07521429764246222, nod: 0.2545584412271571} |
+-------------------------------------------------------+-----------------------------------------------------+
```"#,
    argument(name = "logits", description = "List of the outputs of the layer without its bias, `W h`."),
    argument(name = "probs", description = "List of probabilities, one a class."),
    argument(name = "label", description = "The true class, an integer from 0."),
    argument(name = "h_sq", description = "Squared norm of the input of the layer."),
    argument(name = "w_norm", description = "Frobenius norm of the weights."),
    argument(name = "lr", description = "Learning rate."),
    related_udf(name = "grand"),
    related_udf(name = "topsis_closeness")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WeightDelta {
    signature: Signature,
}

impl Default for WeightDelta {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for WeightDelta {
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

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(scores, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn fields() -> Fields {
    ["don", "nod"].map(|name| Field::new(name, DataType::Float64, true)).into_iter().collect()
}

fn scores(args: &[ArrayRef]) -> Result<ArrayRef> {
    let (logits, probs) = (Lists::try_new(NAME, "logits", &args[0])?, Lists::try_new(NAME, "probs", &args[1])?);
    let labels = args[2].as_primitive::<Int64Type>();
    let [h_squared, norms, rates] = [3, 4, 5].map(|at: usize| args[at].as_primitive::<Float64Type>());
    let (mut z, mut p) = (vec![], vec![]);
    let (mut don, mut nod) = (Float64Builder::new(), Float64Builder::new());
    let mut nulls = NullBufferBuilder::new(labels.len());
    for row in 0..labels.len() {
        let (z, p) = (logits.finite(row, &mut z)?, probs.probabilities(row, &mut p)?);
        let given = labels.is_valid(row) && h_squared.is_valid(row) && norms.is_valid(row) && rates.is_valid(row);
        let (Some(z), Some(p), true) = (z, p, given) else {
            nulls.append_null();
            don.append_null();
            nod.append_null();
            continue;
        };
        if z.len() != p.len() {
            return exec_err!("{NAME}: logits has {} values and probs has {}", z.len(), p.len());
        }
        let (label, rate, norm) = (class(NAME, labels.value(row), p.len())?, rates.value(row), norms.value(row));
        if !(norm >= 0.0 && norm.is_finite() && rate.is_finite()) {
            return exec_err!(
                "{NAME}: w_norm must be a finite number of at least 0 and lr finite, not {norm} and {rate}"
            );
        }
        let h_squared = squared_norm(NAME, h_squared.value(row))?;
        let (fall, change) = gradient::weight_delta(z, p, label, h_squared, norm, rate);
        nulls.append_non_null();
        don.append_value(fall);
        nod.append_value(change);
    }
    let columns: Vec<ArrayRef> = vec![Arc::new(don.finish()), Arc::new(nod.finish())];
    Ok(Arc::new(StructArray::try_new(fields(), columns, nulls.finish())?))
}
