//! `jaccard(a, b [, n [, unit]])`.

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion_macros::user_doc;

use super::similarity;
use crate::functions::literals::Literals;
use crate::kernels::shingles::jaccard_sorted;

const NAME: &str = "jaccard";

/// Exact Jaccard similarity of the shingle sets of two texts.
#[user_doc(
    doc_section(label = "Text Functions"),
    description = "Jaccard similarity of two texts: how many distinct shingles they share, as a part of all that they have. \
Exact: shingles are compared as 64-bit hashes, of which two differ by mistake in fewer than one of a million comparisons of \
million-word texts. A shingle is `n` consecutive units, words by default; a shorter text is one shingle. 1 means that the texts \
have the same shingles, not that they are equal: words see neither case nor symbols. Where neither text has a shingle, equal \
texts have 1 and others 0. NULL gives NULL.",
    syntax_example = "jaccard(a, b [, n [, unit]])",
    sql_example = r#"```sql
> SELECT jaccard('The cat sat on the mat', 'the cat sat on a mat', 2) AS j;
+---------------------+
| j                   |
+---------------------+
| 0.42857142857142855 |
+---------------------+
> SELECT jaccard('12 + 7', '12 - 7', 1) AS words, jaccard('12 + 7', '12 - 7', 1, 'token') AS tokens;
+-------+--------+
| words | tokens |
+-------+--------+
| 1.0   | 0.5    |
+-------+--------+
```"#,
    argument(name = "a", description = "A text."),
    argument(name = "b", description = "Another text."),
    argument(name = "n", description = "Units in a shingle, a literal from 1 to 1000; 5 by default."),
    argument(
        name = "unit",
        description = "`'word'` (the default), `'token'`, `'python_word'` or `'char'`; a literal. See `docs/units.md`."
    ),
    related_udf(name = "containment"),
    related_udf(name = "minhash_jaccard")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Jaccard {
    signature: Signature,
}

impl Default for Jaccard {
    fn default() -> Self {
        Self { signature: similarity::signature() }
    }
}

impl ScalarUDFImpl for Jaccard {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        similarity::shape(&Literals::planned(NAME, &args))?;
        Ok(Field::new(NAME, DataType::Float64, true).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        similarity::measure(NAME, &args.args, jaccard_sorted)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
