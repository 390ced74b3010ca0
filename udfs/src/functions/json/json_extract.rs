//! `json_extract(json, path)`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use datafusion_macros::user_doc;

use super::find_each;
use crate::functions::scores::parameters::{Kind, Parameter, coerce, required, signature};

const NAME: &str = "json_extract";

const PARAMETERS: [Parameter; 2] = [required("json", Kind::Text), required("path", Kind::Text)];

/// Returns the JSON value at a path exactly as written in the document: no digit changes.
#[user_doc(
    doc_section(label = "JSON Functions"),
    description = "The value at a path of a JSON text, as JSON and as it is written there: no digit changes. NULL where there is no \
such value. `json -> path` is the same. A text that is no JSON is an error; `CASE WHEN json_valid(text) THEN ... END` passes over it.",
    syntax_example = "json_extract(json, path)",
    sql_example = r#"```sql
> SELECT json_extract('{"a": {"tags": ["x", "y"]}}', '$.a.tags[0]') AS tag, json_extract('{"price": 1.50}', 'price') AS price;
+-----+-------+
| tag | price |
+-----+-------+
| "x" | 1.50  |
+-----+-------+
```"#,
    argument(name = "json", description = "A JSON text."),
    argument(
        name = "path",
        description = "`$.key.list[0]`, `/key/list/0`, or the name of a key. Items count from 0, with `$` also from the end: `[-1]`."
    ),
    related_udf(name = "json_extract_string")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct JsonExtract {
    signature: Signature,
}

impl Default for JsonExtract {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for JsonExtract {
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
    find_each(NAME, args, |found| {
        out.append_option(found);
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}
