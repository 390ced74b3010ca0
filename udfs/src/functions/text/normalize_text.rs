//! `normalize_text(text [, rules])`.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringViewBuilder};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use datafusion_macros::user_doc;

use crate::functions::literals::{Literals, literal};
use crate::functions::strings::{Strings, text};
use crate::kernels::normalize::{Normalizer, PRESETS, RULES, Rule, parse_rules};

const NAME: &str = "normalize_text";

/// A text after a list of elementary normalisations.
#[user_doc(
    doc_section(label = "Text Functions"),
    description = "The text after a list of normalisations, applied in their order. NULL gives NULL.\n\n\
Rules: `lower` (full Unicode mapping), `trim`, `collapse_space` (one space for each run of white space), `strip_punctuation` \
(Unicode punctuation and ASCII symbols), `strip_ascii_punctuation`, `punctuation_to_space`, `datatrove_punctuation_to_space` \
(that tool's list, control characters included), `digits_to_zero` (one 0 for each decimal number), `nfc`, `nfd`, `nfkc`, \
`nfd_strip_marks` (no accents).\n\n\
Presets, the normalisation that a tool applies before its MinHash: `basic` (lower, nfc, collapse_space, trim), `fineweb` \
(lower, digits_to_zero, datatrove_punctuation_to_space, collapse_space, trim, nfd_strip_marks, trim), `bigcode` (nothing), \
`slimpajama` (nfc, lower, strip_ascii_punctuation, collapse_space, trim), `rpv2` (strip_ascii_punctuation, lower, \
collapse_space, trim, nfd).",
    syntax_example = "normalize_text(text [, rules])",
    sql_example = r#"```sql
> SELECT normalize_text('  Crème  BRÛLÉE: $4.50!') AS basic, normalize_text('  Crème  BRÛLÉE: $4.50!', 'fineweb') AS fineweb;
+----------------------+----------------+
| basic                | fineweb        |
+----------------------+----------------+
| crème brûlée: $4.50! | creme brulee 0 |
+----------------------+----------------+
> SELECT normalize_text('Don''t panic', 'lower,strip_punctuation') AS t;
+------------+
| t          |
+------------+
| dont panic |
+------------+
```"#,
    argument(name = "text", description = "The text."),
    argument(
        name = "rules",
        description = "The name of a preset or a comma-separated list of rules, a literal; `'basic'` by default."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct NormalizeText {
    signature: Signature,
}

impl Default for NormalizeText {
    fn default() -> Self {
        let arguments = vec![TypeSignature::Coercible(vec![text()]), TypeSignature::Coercible(vec![text(), literal()])];
        Self { signature: Signature::one_of(arguments, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for NormalizeText {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        rules(&Literals::planned(NAME, &args))?;
        Ok(Field::new(NAME, DataType::Utf8View, true).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rules = rules(&Literals::running(NAME, &args.args))?;
        make_scalar_function(|args| normalize(&rules, args), vec![])(&args.args[..1])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn rules(literals: &Literals<'_>) -> Result<Vec<Rule>> {
    parse_rules(literals.text(1, "rules")?.unwrap_or("basic")).or_else(|unknown| {
        let presets = PRESETS.map(|(name, _)| name).join(", ");
        let rules = RULES.map(|(name, _)| name).join(", ");
        plan_err!("{NAME}: '{unknown}' is no rule; allowed are a preset ({presets}) or a list of rules ({rules})")
    })
}

fn normalize(rules: &[Rule], args: &[ArrayRef]) -> Result<ArrayRef> {
    let texts = Strings::try_new(&args[0], "the text of normalize_text")?;
    let mut normalizer = Normalizer::new(rules.to_vec());
    let mut out = StringViewBuilder::with_capacity(texts.len());
    for text in texts.iter() {
        match text {
            Some(text) => out.try_append_value(normalizer.apply(text))?,
            None => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}
