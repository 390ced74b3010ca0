//! `regexp_extract_all(text, pattern [, group])`.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use datafusion_macros::user_doc;

use super::patterns::Patterns;
use crate::functions::scores::parameters::{Kind, Parameter, coerce, list_of, optional, required, signature};
use crate::functions::strings::Strings;

const NAME: &str = "regexp_extract_all";

const PARAMETERS: [Parameter; 3] =
    [required("text", Kind::Text), required("pattern", Kind::Text), optional("group", Kind::Integer)];

/// What all matches of a regular expression hold, or one group of each, in their order.
#[user_doc(
    doc_section(label = "Text Functions"),
    description = "What all matches of a regular expression hold, or one group of each, in their order. The empty text for a group that took no part. NULL gives NULL.",
    syntax_example = "regexp_extract_all(text, pattern [, group])",
    sql_example = r#"```sql
> SELECT regexp_extract_all('see #12 and #7', '#([0-9]+)', 1) AS numbers;
+---------+
| numbers |
+---------+
| [12, 7] |
+---------+
```"#,
    argument(name = "text", description = "The text."),
    argument(
        name = "pattern",
        description = "A regular expression of the crate `regex`; `(?i)` at its beginning ignores case."
    ),
    argument(
        name = "group",
        description = "The number of a group of the pattern; 0, the default, is the whole match."
    ),
    related_udf(name = "regexp_extract")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RegexpExtractAll {
    signature: Signature,
}

impl Default for RegexpExtractAll {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for RegexpExtractAll {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_of(DataType::Utf8))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(extract_all, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn extract_all(args: &[ArrayRef]) -> Result<ArrayRef> {
    let texts = Strings::try_new(&args[0], "text")?;
    let (mut patterns, mut out) = (Patterns::try_new(NAME, args)?, ListBuilder::new(StringBuilder::new()));
    for (row, text) in texts.iter().enumerate() {
        match (text, patterns.get(row)?) {
            (Some(text), Some((pattern, group))) => {
                for found in pattern.captures_iter(text) {
                    out.values().append_value(found.get(group).map_or("", |found| found.as_str()));
                }
                out.append(true);
            }
            _ => out.append(false),
        }
    }
    Ok(Arc::new(out.finish()))
}
