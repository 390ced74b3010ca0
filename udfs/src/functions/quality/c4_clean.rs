//! `c4_clean(text)`.

use std::borrow::Cow;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use super::rewrite::rewrite;
use crate::functions::strings::text;
use crate::kernels::quality::c4::clean;

/// Returns the part of a page that C4 keeps (Raffel et al. 2020, section 2.2).
#[user_doc(
    doc_section(label = "Quality Functions"),
    description = "The lines of a text that C4 keeps (Raffel et al. 2020, section 2.2; the line rules of `c4_quality`), without white space around them and without citation marks such as `[1]`, joined by line feeds; the empty text where none stays. It does not judge the page: combine it with `c4_quality(text)['keep']`. NULL gives NULL.",
    syntax_example = "c4_clean(text)",
    sql_example = r#"```sql
> SELECT c4_clean(E'Home | About\nThis line stays.[1] It has two sentences.') AS cleaned;
+----------------------------------------+
| cleaned                                |
+----------------------------------------+
| This line stays. It has two sentences. |
+----------------------------------------+
```"#,
    argument(name = "text", description = "The text to clean.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct C4Clean {
    signature: Signature,
}

impl Default for C4Clean {
    fn default() -> Self {
        Self { signature: Signature::coercible(vec![text()], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for C4Clean {
    fn name(&self) -> &str {
        "c4_clean"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        Ok(args[0].clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(clean_texts, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn clean_texts(args: &[ArrayRef]) -> Result<ArrayRef> {
    rewrite(&args[0], "c4_clean", |text| Cow::Owned(clean(text)))
}
