//! `containment(a, b [, n [, unit]])`.

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion_macros::user_doc;

use super::similarity;
use crate::functions::literals::Literals;
use crate::kernels::shingles::containment_sorted;

const NAME: &str = "containment";

/// Returns the fraction of the shingles of one text that occur in another.
#[user_doc(
    doc_section(label = "Text Functions"),
    description = "How much of text `a` is in text `b`: the part of the distinct shingles of `a` that `b` has too. \
Shingles, exactness and texts without a shingle are as for `jaccard`; where only `a` has none the result is 0. NULL gives NULL.",
    syntax_example = "containment(a, b [, n [, unit]])",
    sql_example = r#"```sql
> SELECT containment('sat on the mat', 'The cat sat on the mat.', 3) AS c;
+-----+
| c   |
+-----+
| 1.0 |
+-----+
```"#,
    argument(name = "a", description = "The text that may be contained."),
    argument(name = "b", description = "The text that may contain it."),
    argument(name = "n", description = "Units in a shingle, a literal from 1 to 1000; 5 by default."),
    argument(
        name = "unit",
        description = "`'word'` (the default), `'token'`, `'python_word'` or `'char'`; a literal. See `docs/units.md`."
    ),
    related_udf(name = "jaccard")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Containment {
    signature: Signature,
}

impl Default for Containment {
    fn default() -> Self {
        Self { signature: similarity::signature() }
    }
}

impl ScalarUDFImpl for Containment {
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
        similarity::measure(NAME, &args.args, containment_sorted)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
