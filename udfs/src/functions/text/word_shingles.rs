//! `word_shingles(text, n [, unit])`.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use datafusion_macros::user_doc;

use super::char_shingles;
use super::shingle_lists::{ShingleLists, list_type};
use super::similarity::{DEFAULT_N, MAX_N, unit};
use crate::functions::literals::{Literals, literal};
use crate::functions::strings::{Strings, text};
use crate::kernels::shingler::Unit;
use crate::kernels::words::Tokenizer;

const NAME: &str = "word_shingles";

/// The distinct word n-grams of a text.
#[user_doc(
    doc_section(label = "Text Functions"),
    description = "The distinct shingles of `n` consecutive words, joined by a space, in the order of their first appearance. \
A word is a run of letters, marks, numbers and underscores, in NFC and with case folded; of scripts without spaces between \
words it is one letter with its marks. With another `unit` the shingles are made of tokens, of Python's words or of characters. \
A text of fewer than `n` words is one shingle of them all; a text without words gives the empty list. NULL gives NULL.",
    syntax_example = "word_shingles(text, n [, unit])",
    sql_example = r#"```sql
> SELECT word_shingles('Row, row, row your boat', 2) AS s;
+--------------------------------+
| s                              |
+--------------------------------+
| [row row, row your, your boat] |
+--------------------------------+
> SELECT word_shingles('a[i] += 1.5', 1, 'token') AS s;
+-----------------------------+
| s                           |
+-----------------------------+
| [a, [, i, ], +, =, 1, ., 5] |
+-----------------------------+
```"#,
    argument(name = "text", description = "The text."),
    argument(name = "n", description = "Words in a shingle, a literal from 1 to 1000."),
    argument(
        name = "unit",
        description = "`'word'` (the default), `'token'`, `'python_word'` or `'char'`; a literal. See `docs/units.md`."
    ),
    related_udf(name = "char_shingles")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WordShingles {
    signature: Signature,
}

impl Default for WordShingles {
    fn default() -> Self {
        let arguments = vec![
            TypeSignature::Coercible(vec![text(), literal()]),
            TypeSignature::Coercible(vec![text(), literal(), literal()]),
        ];
        Self { signature: Signature::one_of(arguments, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for WordShingles {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_type())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        shape(&Literals::planned(NAME, &args))?;
        Ok(Field::new(NAME, list_type(), true).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (unit, n) = shape(&Literals::running(NAME, &args.args))?;
        make_scalar_function(move |args| shingles(unit, n, args), vec![])(&args.args[..1])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn shape(literals: &Literals<'_>) -> Result<(Unit, usize)> {
    let n = literals.count(1, "n", 1..=MAX_N)?.unwrap_or(DEFAULT_N);
    Ok((unit(literals, 2)?, n))
}

fn shingles(unit: Unit, n: usize, args: &[ArrayRef]) -> Result<ArrayRef> {
    let Unit::Words(rule) = unit else { return char_shingles::shingles(n, args) };
    let texts = Strings::try_new(&args[0], "the text of word_shingles")?;
    let mut lists = ShingleLists::with_capacity(texts.len());
    let mut tokenizer = Tokenizer::new(rule);
    let (mut line, mut words) = (String::new(), Vec::new());
    for text in texts.iter() {
        let Some(text) = text else {
            lists.push_null()?;
            continue;
        };
        line.clear();
        words.clear();
        tokenizer.for_each(text, |word| {
            if !line.is_empty() {
                line.push(' ');
            }
            words.push((line.len(), line.len() + word.len()));
            line.push_str(word);
        });
        let width = n.clamp(1, words.len().max(1));
        lists.push(&line, |shingle| {
            words.windows(width).for_each(|window| shingle(window[0].0, window[width - 1].1));
        })?;
    }
    lists.finish()
}
