//! `gopher_repetition(text)`.

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
use crate::kernels::quality::repetition::GopherRepetition;

const FIELDS: [(&str, Kind); 15] = [
    ("duplicate_paragraph_fraction", Kind::Number),
    ("duplicate_paragraph_char_fraction", Kind::Number),
    ("duplicate_line_fraction", Kind::Number),
    ("duplicate_line_char_fraction", Kind::Number),
    ("top_2_gram_char_fraction", Kind::Number),
    ("top_3_gram_char_fraction", Kind::Number),
    ("top_4_gram_char_fraction", Kind::Number),
    ("duplicate_5_gram_char_fraction", Kind::Number),
    ("duplicate_6_gram_char_fraction", Kind::Number),
    ("duplicate_7_gram_char_fraction", Kind::Number),
    ("duplicate_8_gram_char_fraction", Kind::Number),
    ("duplicate_9_gram_char_fraction", Kind::Number),
    ("duplicate_10_gram_char_fraction", Kind::Number),
    ("keep", Kind::Flag),
    ("failed", Kind::Name),
];

/// Repetition of Gopher (Rae et al. 2021, table A1).
#[user_doc(
    doc_section(label = "Quality Functions"),
    description = "Repetition within a text, by Gopher (Rae et al. 2021, table A1), with the definitions of datatrove 0.10; every measured value is a fraction from 0 to 1. Rules in order, with their limits: `duplicate_paragraphs` (0.3, of paragraphs), `duplicate_paragraph_chars` (0.2, of characters), `duplicate_lines` (0.3), `duplicate_line_chars` (0.2), `top_2_gram` (0.2), `top_3_gram` (0.18), `top_4_gram` (0.16): characters in the word n-gram that occurs most often, and `duplicate_5_grams` (0.15), `duplicate_6_grams` (0.14), `duplicate_7_grams` (0.13), `duplicate_8_grams` (0.12), `duplicate_9_grams` (0.11), `duplicate_10_grams` (0.1): characters in word n-grams that occurred before. `keep` is true where no rule is broken; `failed` names the first rule broken, NULL where none is. Thresholds of your own are SQL over the other fields. NULL gives NULL. Words are those of `gopher_quality`. LF, CR LF, CR, U+0085, U+2028 and U+2029 end a line. Blank lines (empty, or white space only) separate lines and paragraphs and never repeat. The empty text repeats nothing and is kept.",
    syntax_example = "gopher_repetition(text)",
    sql_example = r#"```sql
> SELECT round(q['duplicate_line_fraction'], 2) AS lines, round(q['top_2_gram_char_fraction'], 2) AS top_2, q['failed'] AS failed
> FROM (SELECT gopher_repetition(E'buy now\nbuy now\nbuy it') AS q);
+-------+-------+-----------------+
| lines | top_2 | failed          |
+-------+-------+-----------------+
| 0.33  | 0.64  | duplicate_lines |
+-------+-------+-----------------+
```"#,
    argument(name = "text", description = "The text to measure.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct GopherRepetitionFunction {
    signature: Signature,
}

impl Default for GopherRepetitionFunction {
    fn default() -> Self {
        Self { signature: Signature::coercible(vec![text()], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for GopherRepetitionFunction {
    fn name(&self) -> &str {
        "gopher_repetition"
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
    let texts = Strings::try_new(&args[0], "the argument of gopher_repetition")?;
    records(texts, &FIELDS, |text| {
        let q = GopherRepetition::measure(text);
        let failed = q.failed();
        [
            Value::Number(q.duplicate_paragraph_fraction),
            Value::Number(q.duplicate_paragraph_char_fraction),
            Value::Number(q.duplicate_line_fraction),
            Value::Number(q.duplicate_line_char_fraction),
            Value::Number(q.top_ngram_char_fraction[0]),
            Value::Number(q.top_ngram_char_fraction[1]),
            Value::Number(q.top_ngram_char_fraction[2]),
            Value::Number(q.duplicate_ngram_char_fraction[0]),
            Value::Number(q.duplicate_ngram_char_fraction[1]),
            Value::Number(q.duplicate_ngram_char_fraction[2]),
            Value::Number(q.duplicate_ngram_char_fraction[3]),
            Value::Number(q.duplicate_ngram_char_fraction[4]),
            Value::Number(q.duplicate_ngram_char_fraction[5]),
            Value::Flag(failed.is_none()),
            Value::Name(failed),
        ]
    })
}
