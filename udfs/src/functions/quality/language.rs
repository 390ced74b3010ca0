//! `language(text)`.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use super::record::{Kind, Value, records, struct_type};
use crate::functions::strings::{Strings, text};
use crate::kernels::quality::language::detect;

const FIELDS: [(&str, Kind); 3] = [("code", Kind::Name), ("confidence", Kind::Number), ("reliable", Kind::Flag)];

/// The language of a text (crate whatlang).
#[user_doc(
    doc_section(label = "Quality Functions"),
    description = "The language of a text: `code` (ISO 639-3, such as `eng`), `confidence` from 0 to 1, and `reliable` (confidence over 0.9), by the scripts and letter trigrams of the whatlang crate (70 languages). The first 16 KiB are looked at. Short texts get a low confidence rather than no code; a text without a letter of a known script (so also the empty one) has a NULL code, confidence 0 and is not reliable. NULL gives NULL.",
    syntax_example = "language(text)",
    sql_example = r#"```sql
> SELECT l['code'] AS code, l['reliable'] AS reliable
> FROM (SELECT language('Der schnelle braune Fuchs springt über den faulen Hund, während die Sonne scheint.') AS l);
+------+----------+
| code | reliable |
+------+----------+
| deu  | true     |
+------+----------+
```"#,
    argument(name = "text", description = "The text to measure.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct LanguageFunction {
    signature: Signature,
}

impl Default for LanguageFunction {
    fn default() -> Self {
        Self { signature: Signature::coercible(vec![text()], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for LanguageFunction {
    fn name(&self) -> &str {
        "language"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(struct_type(&FIELDS))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(measure, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn measure(args: &[ArrayRef]) -> Result<ArrayRef> {
    let texts = Strings::try_new(&args[0], "the argument of language")?;
    records(texts, &FIELDS, |text| {
        let found = detect(text);
        [Value::Name(found.code), Value::Number(found.confidence), Value::Flag(found.reliable)]
    })
}
