//! `json_extract_string(json, path)`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use datafusion_macros::user_doc;

use super::{find_each, malformed};
use crate::functions::scores::parameters::{Kind, Parameter, coerce, required, signature};
use crate::kernels::json;

const NAME: &str = "json_extract_string";

const PARAMETERS: [Parameter; 2] = [required("json", Kind::Text), required("path", Kind::Text)];

/// Returns the value at a path of a JSON document as text.
#[user_doc(
    doc_section(label = "JSON Functions"),
    description = "The value at a path of a JSON text, as text: a string without quotes and escapes, NULL for null and where there is \
no such value, anything else as it is written. `json ->> path` is the same. A text that is no JSON is an error.",
    syntax_example = "json_extract_string(json, path)",
    sql_example = r#"```sql
> SELECT json_extract_string('{"name": "Zo\u00eb", "age": 7}', 'name') AS name, '{"a": [1, 2]}' ->> '$.a[1]' AS second;
+------+--------+
| name | second |
+------+--------+
| Zoë  | 2      |
+------+--------+
```"#,
    argument(name = "json", description = "A JSON text."),
    argument(
        name = "path",
        description = "`$.key.list[0]`, `/key/list/0`, or the name of a key. Items count from 0, with `$` also from the end: `[-1]`."
    ),
    related_udf(name = "json_extract")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct JsonExtractString {
    signature: Signature,
}

impl Default for JsonExtractString {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for JsonExtractString {
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
        let Some(value) = found else {
            out.append_null();
            return Ok(());
        };
        match json::text(value).map_err(|e| malformed(NAME, value, &e))? {
            Some(text) => out.try_append_value(text)?,
            None => out.append_null(),
        }
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}
