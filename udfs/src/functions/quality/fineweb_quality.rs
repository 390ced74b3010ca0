//! `fineweb_quality(text)`.

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
use crate::kernels::quality::fineweb::FinewebQuality;

const FIELDS: [(&str, Kind); 7] = [
    ("line_count", Kind::Count),
    ("punctuated_line_fraction", Kind::Number),
    ("short_line_fraction", Kind::Number),
    ("duplicate_line_char_fraction", Kind::Number),
    ("line_feed_ratio", Kind::Number),
    ("keep", Kind::Flag),
    ("failed", Kind::Name),
];

/// Custom filters of FineWeb (Penedo et al. 2024, section 3.6).
#[user_doc(
    doc_section(label = "Quality Functions"),
    description = "Custom filters of FineWeb (Penedo et al. 2024, section 3.6), with the thresholds of datatrove 0.10. Rules in order, with the field each looks at: `empty` (`line_count`, lines with more than white space, is 0), `too_few_punctuated_lines` (`punctuated_line_fraction`, lines whose last character ends a sentence in any script, under 0.12), `too_many_short_lines` (`short_line_fraction`, lines of at most 30 characters, over 0.67), `duplicate_line_chars` (`duplicate_line_char_fraction`, characters in lines that occurred before, over 0.01), `too_many_line_feeds` (`line_feed_ratio`, line feeds to a word, over 0.3). `keep` is true where no rule is broken; `failed` names the first rule broken, NULL where none is. Thresholds of your own are SQL over the other fields. NULL gives NULL. Words are those of `gopher_quality`. LF, CR LF, CR, U+0085, U+2028 and U+2029 end a line; lines of white space only are separators. A text without lines or words has 0 for every field.",
    syntax_example = "fineweb_quality(text)",
    sql_example = r#"```sql
> SELECT q['line_count'] AS lines, q['punctuated_line_fraction'] AS punctuated, q['keep'] AS keep, q['failed'] AS failed
> FROM (SELECT fineweb_quality(E'A line that ends as it should.\nAnother one') AS q);
+-------+------------+-------+----------------------+
| lines | punctuated | keep  | failed               |
+-------+------------+-------+----------------------+
| 2     | 0.5        | false | too_many_short_lines |
+-------+------------+-------+----------------------+
```"#,
    argument(name = "text", description = "The text to measure.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct FinewebQualityFunction {
    signature: Signature,
}

impl Default for FinewebQualityFunction {
    fn default() -> Self {
        Self { signature: Signature::coercible(vec![text()], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for FinewebQualityFunction {
    fn name(&self) -> &str {
        "fineweb_quality"
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
    let texts = Strings::try_new(&args[0], "the argument of fineweb_quality")?;
    records(texts, &FIELDS, |text| {
        let q = FinewebQuality::measure(text);
        let failed = q.failed();
        [
            Value::Count(q.line_count),
            Value::Number(q.punctuated_line_fraction),
            Value::Number(q.short_line_fraction),
            Value::Number(q.duplicate_line_char_fraction),
            Value::Number(q.line_feed_ratio),
            Value::Flag(failed.is_none()),
            Value::Name(failed),
        ]
    })
}
