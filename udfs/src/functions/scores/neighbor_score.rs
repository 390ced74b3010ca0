//! `neighbor_score(values, lambda)`.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion_macros::user_doc;

use super::lists::{Lists, ListsBuilder};
use super::parameters::{Kind, Parameter, coerce, optional, required, signature};
use crate::functions::literals::Literals;
use crate::kernels::scores::tokens;

const NAME: &str = "neighbor_score";

const PARAMETERS: [Parameter; 3] =
    [required("values", Kind::Numbers), required("lambda", Kind::Any), optional("scale", Kind::Any)];

/// Mixes token scores with those of their neighbours.
#[user_doc(
    doc_section(label = "Score Functions"),
    description = "Token scores smoothed by their neighbours, `(1 - lambda) x[i] + lambda (x[i-1] + x[i+1])`, where a neighbour beyond the ends counts as 0 \
(the token score of Q-Tuning, 2025, with `x` the perplexity of each token: `scale => 'exp'` of its loss): a spike among calm tokens loses weight, a noisy stretch gains. \
The list comes back in its type. NULL gives NULL; NaN, infinity and NULL among the values and exponentials that overflow are errors.",
    syntax_example = "neighbor_score(values, lambda [, scale])",
    sql_example = r#"```sql
> SELECT neighbor_score([1.0, 8.0, 1.0, 1.0], 0.5) AS scores;
+----------------------+
| scores               |
+----------------------+
| [4.5, 5.0, 5.0, 1.0] |
+----------------------+
```"#,
    argument(name = "values", description = "List of numbers, one a token."),
    argument(name = "lambda", description = "Number literal from 0 to 1, the weight of the neighbours."),
    argument(
        name = "scale",
        description = "Literal `'value'` (the default) or `'exp'`: the values or their exponentials are smoothed."
    ),
    related_udf(name = "list_topk_mask"),
    related_udf(name = "perplexity")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct NeighborScore {
    signature: Signature,
}

impl Default for NeighborScore {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for NeighborScore {
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
        options(&Literals::planned(NAME, &args))?;
        Ok(Field::new(NAME, args.arg_fields[0].data_type().clone(), true).into())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (lambda, exp) = options(&Literals::running(NAME, &args.args))?;
        make_scalar_function(move |args| scores(lambda, exp, args), vec![])(&args.args[..1])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn options(literals: &Literals<'_>) -> Result<(f64, bool)> {
    let lambda = literals.number(1, "lambda", 0.0..=1.0)?.unwrap_or_default();
    Ok((lambda, literals.choice(2, "scale", &["value", "exp"])? == "exp"))
}

fn scores(lambda: f64, exp: bool, args: &[ArrayRef]) -> Result<ArrayRef> {
    let lists = Lists::try_new(NAME, "values", &args[0])?;
    let mut buffer = vec![];
    let mut out = ListsBuilder::new(args[0].data_type(), args[0].len());
    for row in 0..args[0].len() {
        if lists.finite(row, &mut buffer)?.is_none() {
            out.append(None);
            continue;
        }
        if exp {
            buffer.iter_mut().for_each(|value| *value = libm::exp(*value));
            if buffer.iter().any(|value| value.is_infinite()) {
                return exec_err!("{NAME}: the exponential of a value overflows");
            }
        }
        out.append(Some(&tokens::neighbor_scores(&buffer, lambda)));
    }
    out.finish()
}
