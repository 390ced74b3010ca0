//! `embed_image(image, model, device)`.

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, internal_err, plan_err};
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

const NAME: &str = "embed_image";
const PARAMETERS: [Parameter; 3] =
    [required("image", Kind::Any), required("model", Kind::Any), optional("device", Kind::Any)];

/// Returns the vector of an image.
#[user_doc(
    doc_section(label = "Encoder Functions"),
    description = "The vector of an image by an encoder, a fixed-size list of 32-bit floats. The image is the bytes of a PNG or \
JPEG file; its shorter side is scaled to `resize` pixels, the middle `crop` x `crop` of them go to the model, normalised, all as \
the section [image] of the model's `model.toml` says. Images are scaled as Pillow does with antialiasing. There is no model for \
images in the program itself: name one that `limpid models` lists, or a folder. NULL gives NULL; bytes that are no image are an \
error that names the row of the batch. A device that was asked for and is missing is an error. With \
`SET limpid.embedding_cache = 'folder'` vectors are kept there and none is made twice.",
    syntax_example = "embed_image(image, model [, device])",
    sql_example = r#"```sql
> SELECT embed_image(x'89504e47', 'static') AS vector;
Error during planning: embed_image: model 'static' is an encoder of texts; an encoder of images is needed here
```"#,
    argument(name = "image", description = "The bytes of a PNG or JPEG file."),
    argument(name = "model", description = "Text literal: the name of a model or the path of its folder."),
    argument(
        name = "device",
        description = "Text literal: `cpu` (the default), `cuda:N`, `tensorrt:N`, `coreml` or `directml:N`."
    ),
    related_udf(name = "embed_text")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct EmbedImage {
    signature: Signature,
}

impl Default for EmbedImage {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for EmbedImage {
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
        let model = model(NAME, &Literals::planned(NAME, &args), None, Modality::Image)?;
        Ok(Field::new(NAME, vector_type(&model)?, true).into())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = coerce(NAME, &PARAMETERS, given)?;
        match given.first() {
            Some(
                DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
                | DataType::FixedSizeBinary(_)
                | DataType::Null,
            ) => {
                types[0] = DataType::LargeBinary;
                Ok(types)
            }
            other => plan_err!("{NAME}: image must be binary, not {}", other.unwrap_or(&DataType::Null)),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let embedder = embedder(NAME, &args, None, Modality::Image)?;
        let session = LimpidOptions::of(&args.config_options);
        make_scalar_function(move |args| vectors(&embedder, &session, &args[0]), vec![])(&args.args[..1])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
