//! `embed_text(text, model, device, prompt)`.

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, internal_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion_macros::user_doc;
use limpid_encoders::folder::Modality;

use super::arguments::{embedder, model, vector_type, vectors};
use crate::config::LimpidOptions;
use crate::functions::literals::Literals;
use crate::functions::scores::parameters::{Kind, Parameter, coerce, optional, required, signature};

const NAME: &str = "embed_text";
const DEFAULT: &str = "static";
const PARAMETERS: [Parameter; 4] = [
    required("text", Kind::Text),
    optional("model", Kind::Any),
    optional("device", Kind::Any),
    optional("prompt", Kind::Any),
];

/// Returns the vector of a text.
#[user_doc(
    doc_section(label = "Encoder Functions"),
    description = "The vector of a text by an encoder, a fixed-size list of 32-bit floats: texts of like meaning have vectors of \
high cosine. Without `model` it is the one that is part of the program (`static`: 192 dimensions, distilled from \
all-MiniLM-L6-v2, the mean of a vector a word piece; Spearman 0.74 on the test set of STS-B, where the original has 0.82). \
It knows English and, less well, other languages in Latin script: a text of which it knows fewer than half of the letters, \
or that has no letters, gets NULL, and a warning says how many there were. `multilingual` is part of the program too (512 \
dimensions, Google's Universal Sentence Encoder for Arabic, Chinese, Dutch, English, French, German, Italian, Japanese, Korean, \
Polish, Portuguese, Russian, Spanish, Thai and Turkish). \
Others are folders with `model.onnx`, `tokenizer.json` and `model.toml` or the files of sentence-transformers, which \
`limpid models` adds and lists; they need libonnxruntime. On the processor each text runs alone, so that its vector never depends on the rows beside it. NULL gives \
NULL. A device that was asked for and is missing is an error. With \
`SET limpid.embedding_cache = 'folder'` vectors are kept there and none is made twice; for whole lakes use [embed](#embed).",
    syntax_example = "embed_text(text [, model] [, device] [, prompt])",
    sql_example = r#"```sql
> SELECT cosine_similarity(embed_text('A man plays the guitar.'), embed_text('Someone is playing an instrument.'))
    > cosine_similarity(embed_text('A man plays the guitar.'), embed_text('The bank raised interest rates.')) AS nearer;
+--------+
| nearer |
+--------+
| true   |
+--------+
```"#,
    argument(name = "text", description = "The text."),
    argument(
        name = "model",
        description = "Text literal: the name of a model or the path of its folder; `static` by default, or `multilingual`."
    ),
    argument(
        name = "device",
        description = "Text literal: `cpu` (the default), `cuda:N`, `tensorrt:N`, `coreml` or `directml:N`."
    ),
    argument(
        name = "prompt",
        description = "Text literal: the name of a prompt of the model, such as 'query', which is put before the text; by default \
the model's own default. Whoever gives it gives `device` too."
    ),
    related_udf(name = "cosine_similarity"),
    related_udf(name = "embed_image"),
    related_udf(name = "semantic_dedup")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct EmbedText {
    signature: Signature,
}

impl Default for EmbedText {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for EmbedText {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("{NAME}: the type depends on the value of an argument")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let model = model(NAME, &Literals::planned(NAME, &args), Some(DEFAULT), Modality::Text)?;
        Ok(Field::new(NAME, vector_type(&model)?, true).into())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let embedder = embedder(NAME, &args, Some(DEFAULT), Modality::Text)?;
        let session = LimpidOptions::of(&args.config_options);
        make_scalar_function(move |args| vectors(&embedder, &session, &args[0]), vec![])(&args.args[..1])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
