//! `gopher_quality(text)`.

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
use crate::kernels::quality::gopher::GopherQuality;

const FIELDS: [(&str, Kind); 10] = [
    ("word_count", Kind::Count),
    ("mean_word_length", Kind::Number),
    ("hash_ratio", Kind::Number),
    ("ellipsis_ratio", Kind::Number),
    ("bullet_line_fraction", Kind::Number),
    ("ellipsis_line_fraction", Kind::Number),
    ("alphabetic_word_fraction", Kind::Number),
    ("stop_word_count", Kind::Count),
    ("keep", Kind::Flag),
    ("failed", Kind::Name),
];

/// Document quality of Gopher (Rae et al. 2021, appendix A.1.1).
#[user_doc(
    doc_section(label = "Quality Functions"),
    description = "Document quality of Gopher (Rae et al. 2021, appendix A.1.1), with the definitions of datatrove 0.10. Rules in order, with the field each looks at: `too_few_words` (`word_count`, words that are not symbols only, under 50), `too_many_words` (over 100000), `words_too_short` (`mean_word_length` under 3 characters), `words_too_long` (over 10), `too_many_hashes` (`hash_ratio`, `#` to a word, over 0.1), `too_many_ellipses` (`ellipsis_ratio` over 0.1), `too_many_bullet_lines` (`bullet_line_fraction`, lines that start with `•` or `-`, over 0.9), `too_many_ellipsis_lines` (`ellipsis_line_fraction`, lines that end with an ellipsis, over 0.3), `too_few_alphabetic_words` (`alphabetic_word_fraction`, words with a letter, under 0.8), `too_few_stop_words` (`stop_word_count`, how many of `the be to of and that have with` occur, under 2). `keep` is true where no rule is broken; `failed` names the first rule broken, NULL where none is. Thresholds of your own are SQL over the other fields. NULL gives NULL. Words are cut at white space; punctuation, clitics such as `n't`, and the parts of hyphenated words count as words of their own; web addresses are one word. Every line break of Unicode ends a line, and CR LF is one. A text without words or lines has 0 for what is counted per word or line.",
    syntax_example = "gopher_quality(text)",
    sql_example = r#"```sql
> SELECT q['word_count'] AS words, q['stop_word_count'] AS stop_words, q['keep'] AS keep, q['failed'] AS failed,
>   q['word_count'] >= 5 AND q['stop_word_count'] >= 2 AS my_rule
> FROM (SELECT gopher_quality('The cat sat with the dog and that was it.') AS q);
+-------+------------+-------+---------------+---------+
| words | stop_words | keep  | failed        | my_rule |
+-------+------------+-------+---------------+---------+
| 10    | 4          | false | too_few_words | true    |
+-------+------------+-------+---------------+---------+
```"#,
    argument(name = "text", description = "The text to measure.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct GopherQualityFunction {
    signature: Signature,
}

impl Default for GopherQualityFunction {
    fn default() -> Self {
        Self { signature: Signature::coercible(vec![text()], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for GopherQualityFunction {
    fn name(&self) -> &str {
        "gopher_quality"
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
    let texts = Strings::try_new(&args[0], "the argument of gopher_quality")?;
    records(texts, &FIELDS, |text| {
        let q = GopherQuality::measure(text);
        let failed = q.failed();
        [
            Value::Count(q.word_count),
            Value::Number(q.mean_word_length),
            Value::Number(q.hash_ratio),
            Value::Number(q.ellipsis_ratio),
            Value::Number(q.bullet_line_fraction),
            Value::Number(q.ellipsis_line_fraction),
            Value::Number(q.alphabetic_word_fraction),
            Value::Count(q.stop_word_count),
            Value::Flag(failed.is_none()),
            Value::Name(failed),
        ]
    })
}
