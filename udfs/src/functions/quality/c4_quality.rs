//! `c4_quality(text)`.

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
use crate::kernels::quality::c4::C4Quality;

const FIELDS: [(&str, Kind); 12] = [
    ("line_count", Kind::Count),
    ("kept_line_count", Kind::Count),
    ("long_word_line_count", Kind::Count),
    ("unterminated_line_count", Kind::Count),
    ("short_line_count", Kind::Count),
    ("javascript_line_count", Kind::Count),
    ("policy_line_count", Kind::Count),
    ("sentence_count", Kind::Count),
    ("lorem_ipsum", Kind::Flag),
    ("curly_bracket", Kind::Flag),
    ("keep", Kind::Flag),
    ("failed", Kind::Name),
];

/// Page rules of C4 (Raffel et al. 2020, section 2.2).
#[user_doc(
    doc_section(label = "Quality Functions"),
    description = "Page and line rules of C4 (Raffel et al. 2020, section 2.2), in the order of its published code and of datatrove 0.10, without the list of bad words. Lines are dropped for a word over 1000 characters (`long_word_line_count`), for an end that is none of `. ? ! \" '` or is `...` (`unterminated_line_count`), for fewer than three words (`short_line_count`), for `javascript` (`javascript_line_count`) and for phrases of cookie and privacy notices (`policy_line_count`); `kept_line_count` lines stay, with `sentence_count` sentences. Rules for the page: `lorem_ipsum` or `curly_bracket` (such text in a line that passed the rules before; whichever comes first), `too_few_sentences` (under 5). `keep` is true where no rule is broken; `failed` names the first rule broken, NULL where none is. Thresholds of your own are SQL over the other fields. NULL gives NULL. `c4_clean` gives the lines that stay. Every line break of Unicode ends a line, and CR LF is one.",
    syntax_example = "c4_quality(text)",
    sql_example = r#"```sql
> SELECT q['line_count'] AS lines, q['kept_line_count'] AS kept, q['sentence_count'] AS sentences, q['failed'] AS failed
> FROM (SELECT c4_quality(E'Home | About\nThis line stays. It has two sentences.') AS q);
+-------+------+-----------+-------------------+
| lines | kept | sentences | failed            |
+-------+------+-----------+-------------------+
| 2     | 1    | 2         | too_few_sentences |
+-------+------+-----------+-------------------+
```"#,
    argument(name = "text", description = "The text to measure.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct C4QualityFunction {
    signature: Signature,
}

impl Default for C4QualityFunction {
    fn default() -> Self {
        Self { signature: Signature::coercible(vec![text()], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for C4QualityFunction {
    fn name(&self) -> &str {
        "c4_quality"
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
    let texts = Strings::try_new(&args[0], "the argument of c4_quality")?;
    records(texts, &FIELDS, |text| {
        let q = C4Quality::measure(text);
        let failed = q.failed();
        [
            Value::Count(q.line_count),
            Value::Count(q.kept_line_count),
            Value::Count(q.long_word_line_count),
            Value::Count(q.unterminated_line_count),
            Value::Count(q.short_line_count),
            Value::Count(q.javascript_line_count),
            Value::Count(q.policy_line_count),
            Value::Count(q.sentence_count),
            Value::Flag(q.lorem_ipsum),
            Value::Flag(q.curly_bracket),
            Value::Flag(failed.is_none()),
            Value::Name(failed),
        ]
    })
}
