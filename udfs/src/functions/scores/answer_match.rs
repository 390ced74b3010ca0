//! `answer_match(generated, gold)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use datafusion_macros::user_doc;

use super::parameters::{Kind, Parameter, coerce, required, signature};
use crate::functions::strings::Strings;
use crate::kernels::scores::answer;

const NAME: &str = "answer_match";

const PARAMETERS: [Parameter; 2] = [required("generated", Kind::Text), required("gold", Kind::Text)];

/// Returns whether a generated text arrives at a known answer.
#[user_doc(
    doc_section(label = "Score Functions"),
    description = "Whether the final answer of a generated text is the right one. In both texts the answer is what the last `\\boxed{}` holds; else what follows \
the last `####`; else what follows the last `answer is`, `answer:` or `answer =` on its line; else the whole text. Where the gold answer is a \
number (`1,234`, `3/4`, `\\frac{3}{4}`, `50%`), the last number of the generated answer is compared by value; else the texts are, without regard \
to case, white space, `$` and final punctuation. An empty gold answer matches nothing. NULL gives NULL.",
    syntax_example = "answer_match(generated, gold)",
    sql_example = r#"```sql
> SELECT answer_match('6 times 12 is 72, so the answer is 72.', '#### 72') AS right, answer_match('I get 71', '72') AS wrong;
+-------+-------+
| right | wrong |
+-------+-------+
| true  | false |
+-------+-------+
```"#,
    argument(name = "generated", description = "Text that ends in an answer."),
    argument(name = "gold", description = "The known answer, or a text that ends in it."),
    related_udf(name = "perplexity")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct AnswerMatch {
    signature: Signature,
}

impl Default for AnswerMatch {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for AnswerMatch {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(matches, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn matches(args: &[ArrayRef]) -> Result<ArrayRef> {
    let (generated, gold) = (Strings::try_new(&args[0], "generated")?, Strings::try_new(&args[1], "gold")?);
    let pairs = generated.iter().zip(gold.iter());
    let verdicts: BooleanArray = pairs.map(|(generated, gold)| Some(answer::answer_match(generated?, gold?))).collect();
    Ok(Arc::new(verdicts))
}
