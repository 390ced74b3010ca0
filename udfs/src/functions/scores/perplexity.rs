//! `perplexity(nll [, mask])`.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use datafusion_macros::user_doc;

use super::lists::{Lists, Masks, column};
use super::parameters::{Kind, Parameter, coerce, optional, required, signature};
use crate::kernels::scores::tokens;

const NAME: &str = "perplexity";

const PARAMETERS: [Parameter; 2] = [required("nll", Kind::Numbers), optional("mask", Kind::Flags)];

/// Exponential of the mean token loss.
#[user_doc(
    doc_section(label = "Score Functions"),
    description = "Perplexity of a text: the exponential of the mean negative log-likelihood of its tokens, of those that `mask` marks where it is given. \
NULL where no token counts, and for NULL; NaN, infinity, NULL among the values and lists of different length are errors.",
    syntax_example = "perplexity(nll [, mask])",
    sql_example = r#"```sql
> SELECT perplexity([0.5, 1.5, 3.0]) AS all_tokens, perplexity([0.5, 1.5, 3.0], [false, true, true]) AS answer;
+------------------+-------------------+
| all_tokens       | answer            |
+------------------+-------------------+
| 5.29449005047003 | 9.487735836358526 |
+------------------+-------------------+
```"#,
    argument(name = "nll", description = "List of negative log-likelihoods in nats, one a token."),
    argument(name = "mask", description = "List of Booleans, which tokens count; all by default."),
    related_udf(name = "entropy"),
    related_udf(name = "neighbor_score")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Perplexity {
    signature: Signature,
}

impl Default for Perplexity {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for Perplexity {
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
    let losses = Lists::try_new(NAME, "nll", &args[0])?;
    let masks = args.get(1).map(|mask| Masks::try_new(NAME, mask)).transpose()?;
    let mut buffer = vec![];
    column(args[0].len(), |row| {
        let Some(losses) = losses.finite(row, &mut buffer)? else { return Ok(None) };
        let Some(masks) = &masks else { return Ok(tokens::perplexity(losses.iter().copied())) };
        let Some(mask) = masks.get(row)? else { return Ok(None) };
        if mask.len() != losses.len() {
            return exec_err!("{NAME}: nll has {} values and mask has {}", losses.len(), mask.len());
        }
        Ok(tokens::perplexity(losses.iter().zip(mask).filter_map(|(loss, counts)| counts.then_some(*loss))))
    })
}
