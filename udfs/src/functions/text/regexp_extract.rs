//! `regexp_extract(text, pattern [, group])`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use datafusion_macros::user_doc;

use super::patterns::{PARAMETERS, search_each};
use crate::functions::scores::parameters::{coerce, signature};

const NAME: &str = "regexp_extract";

/// Returns the first match of a regular expression, or one of its groups.
#[user_doc(
    doc_section(label = "Text Functions"),
    description = "What the first match of a regular expression holds, or one of its groups. The empty text where nothing matches or \
the group took no part, as in DuckDB and Spark. NULL gives NULL.",
    syntax_example = "regexp_extract(text, pattern [, group])",
    sql_example = r#"```sql
> SELECT regexp_extract('arXiv:2104.08821v4', '[0-9]{4}[.][0-9]+') AS id, regexp_extract('v1.12', 'v([0-9]+)[.]([0-9]+)', 2) AS minor;
+------------+-------+
| id         | minor |
+------------+-------+
| 2104.08821 | 12    |
+------------+-------+
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
    related_udf(name = "regexp_extract_all")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RegexpExtract {
    signature: Signature,
}

impl Default for RegexpExtract {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for RegexpExtract {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(extract, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn extract(args: &[ArrayRef]) -> Result<ArrayRef> {
    let mut out = StringViewBuilder::with_capacity(args[0].len());
    search_each(NAME, args, |row| {
        let Some((text, pattern, group)) = row else {
            out.append_null();
            return Ok(());
        };
        let found = pattern.captures(text).and_then(|found| found.get(group));
        Ok(out.try_append_value(found.map_or("", |found| found.as_str()))?)
    })?;
    Ok(Arc::new(out.finish()))
}
