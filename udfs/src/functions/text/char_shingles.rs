//! `char_shingles(text, n)`.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use super::shingle_lists::{ShingleLists, list_type};
use super::similarity::{DEFAULT_N, MAX_N};
use crate::functions::literals::{Literals, literal};
use crate::functions::strings::{Strings, text};
use crate::kernels::shingles::for_each_char_shingle;

const NAME: &str = "char_shingles";

/// The distinct character n-grams of a text.
#[user_doc(
    doc_section(label = "Text Functions"),
    description = "The distinct shingles of `n` consecutive characters (Unicode scalar values) of the text as it is, in the \
order of their first appearance. A shorter text is one shingle; the empty text gives the empty list. NULL gives NULL.",
    syntax_example = "char_shingles(text, n)",
    sql_example = r#"```sql
> SELECT char_shingles('banana', 3) AS s;
+-----------------+
| s               |
+-----------------+
| [ban, ana, nan] |
+-----------------+
```"#,
    argument(name = "text", description = "The text."),
    argument(name = "n", description = "Characters in a shingle, a literal from 1 to 1000."),
    related_udf(name = "word_shingles")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct CharShingles {
    signature: Signature,
}

impl Default for CharShingles {
    fn default() -> Self {
        Self { signature: Signature::coercible(vec![text(), literal()], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for CharShingles {
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
        width(&Literals::planned(NAME, &args))?;
        Ok(Field::new(NAME, list_type(), true).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let n = width(&Literals::running(NAME, &args.args))?;
        make_scalar_function(move |args| shingles(n, args), vec![])(&args.args[..1])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn width(literals: &Literals<'_>) -> Result<usize> {
    Ok(literals.count(1, "n", 1..=MAX_N)?.unwrap_or(DEFAULT_N))
}

pub(super) fn shingles(n: usize, args: &[ArrayRef]) -> Result<ArrayRef> {
    let texts = Strings::try_new(&args[0], "the text of char_shingles")?;
    let mut lists = ShingleLists::with_capacity(texts.len());
    for text in texts.iter() {
        match text {
            Some(text) => lists.push(text, |shingle| for_each_char_shingle(text, n, shingle))?,
            None => lists.push_null()?,
        }
    }
    lists.finish()
}
