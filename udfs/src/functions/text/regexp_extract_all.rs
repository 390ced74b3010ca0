//! `regexp_extract_all(text, pattern [, group])`.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use datafusion_macros::user_doc;

use super::patterns::{PARAMETERS, search_each};
use crate::functions::scores::parameters::{coerce, list_of, signature};

const NAME: &str = "regexp_extract_all";

/// Returns all matches of a regular expression in order, or one group of each.
#[user_doc(
    doc_section(label = "Text Functions"),
    description = "What all matches of a regular expression hold, or one group of each, in their order. The \
empty text for a group that took no part. NULL gives NULL.",
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
    let mut out = ListBuilder::new(StringBuilder::new());
    search_each(NAME, args, |row| {
        if let Some((text, pattern, group)) = row {
            for found in pattern.captures_iter(text) {
                out.values().append_value(found.get(group).map_or("", |found| found.as_str()));
            }
        }
        out.append(row.is_some());
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}
