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

const FIELDS: [(&str, Kind); 4] =
    [("code", Kind::Name), ("confidence", Kind::Number), ("reliable", Kind::Flag), ("script", Kind::Name)];

/// The language and script of a text.
#[user_doc(
    doc_section(label = "Quality Functions"),
    description = "Tells the language and the script of a text. `code` is an ISO 639-3 code such as `eng`, or `und` where the language cannot be told. `confidence` goes from 0 to 1, and `reliable` is true where it is over 0.9. `script` is the ISO 15924 code of the script with the most letters, such as `Latn`; `Jpan` is kanji and kana together. Letter trigrams propose a language, and common words must support it, so a text in a language that is not known is `und`, or not reliable. 72 languages are known; `docs/quality.md` lists them, with the accuracy measured. A text in Chinese characters alone is `cmn` where they are characters that only Chinese uses, and `und` where it could be Japanese. Tagalog (`tgl`) is never reliable, since no text tells it from Filipino (`fil`), and Croatian only where its words are not Bosnian or Serbian, too. A text without letters has a NULL `code`, a NULL `script` and confidence 0. NULL gives NULL. The function has no errors. It reads at most 16 KiB of a text: the whole of a shorter one, and of a longer one eight pieces at equal distances from start to end. So the cost has a limit, whatever the length.",
    syntax_example = "language(text)",
    sql_example = r#"```sql
> SELECT l['code'] AS code, l['reliable'] AS reliable, l['script'] AS script
> FROM (SELECT language('Der schnelle braune Fuchs springt über den faulen Hund, während die Sonne scheint.') AS l);
+------+----------+--------+
| code | reliable | script |
+------+----------+--------+
| deu  | true     | Latn   |
+------+----------+--------+
```"#,
    argument(name = "text", description = "The text.")
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
        [
            Value::Name(found.code),
            Value::Number(found.confidence),
            Value::Flag(found.reliable),
            Value::Name(found.script),
        ]
    })
}
