//! `token_nll(text, model, device)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Builder, ListBuilder};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion_macros::user_doc;
use limpid_encoders::Model;
use limpid_encoders::folder::Modality;

use super::arguments::{failed, model, waiting};
use crate::functions::literals::Literals;
use crate::functions::scores::parameters::{Kind, Parameter, coerce, list_of, optional, required, signature};
use crate::functions::strings::Strings;

const NAME: &str = "token_nll";
const PARAMETERS: [Parameter; 3] =
    [required("text", Kind::Text), required("model", Kind::Any), optional("device", Kind::Any)];

/// Returns the negative log-likelihood of each token.
#[user_doc(
    doc_section(label = "Encoder Functions"),
    description = "For each token of a text but the first, its negative log-likelihood (natural logarithm) given those before \
it, by a causal language model: a list of 32-bit floats. `perplexity(token_nll(...))` is the text's perplexity. Tokens beyond \
the `max_length` of the model's `model.toml` are left out, or with `long = \"average\"` begin a new piece. There is no such model in \
the program itself: name one that `limpid models` lists, or a folder. NULL gives NULL; a text of fewer than two tokens gives \
the empty list.",
    syntax_example = "token_nll(text, model [, device])",
    sql_example = r#"```sql
> SELECT token_nll('A text.', 'static') AS losses;
Error during planning: token_nll: model 'static' is an encoder of texts; a causal language model is needed here
```"#,
    argument(name = "text", description = "The text."),
    argument(name = "model", description = "Text literal: the name of a model or the path of its folder."),
    argument(
        name = "device",
        description = "Text literal: `cpu` (the default), `cuda:N`, `tensorrt:N`, `coreml` or `directml:N`."
    ),
    related_udf(name = "perplexity")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TokenNll {
    signature: Signature,
}

impl Default for TokenNll {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for TokenNll {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_of(DataType::Float32))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        // Report a missing model before the query runs.
        model(NAME, &Literals::planned(NAME, &args), None, Modality::Causal)?;
        Ok(Field::new(NAME, list_of(DataType::Float32), true).into())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let model = model(NAME, &Literals::running(NAME, &args.args), None, Modality::Causal)?;
        make_scalar_function(move |args| losses(&args[0], &model), vec![])(&args.args[..1])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn losses(texts: &ArrayRef, model: &Model) -> Result<ArrayRef> {
    let strings = Strings::try_new(texts, "the argument of token_nll")?;
    let given: Vec<&str> = strings.iter().flatten().collect();
    let losses = match waiting(|| model.token_nll(&given)) {
        Ok(losses) => losses,
        Err(error) => return failed(NAME, &error),
    };
    let mut lists = ListBuilder::new(Float32Builder::new());
    let mut losses = losses.iter();
    for text in strings.iter() {
        match text.and_then(|_| losses.next()) {
            Some(found) => {
                lists.values().append_slice(found);
                lists.append(true);
            }
            None => lists.append(false),
        }
    }
    Ok(Arc::new(lists.finish()))
}
