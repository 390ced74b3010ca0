//! `json_keys(json)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use datafusion_macros::user_doc;

use super::malformed;
use crate::functions::scores::parameters::{Kind, Parameter, coerce, list_of, required, signature};
use crate::functions::strings::Strings;
use crate::kernels::json;

const NAME: &str = "json_keys";

const PARAMETERS: [Parameter; 1] = [required("json", Kind::Text)];

/// Returns the keys of a JSON object in document order; NULL for any other value.
#[user_doc(
    doc_section(label = "JSON Functions"),
    description = "The keys of a JSON object in its order; NULL for any other value. A text that is no JSON is an error.",
    syntax_example = "json_keys(json)",
    sql_example = r#"```sql
> SELECT json_keys('{"b": 1, "a": {"c": 2}}') AS keys;
+--------+
| keys   |
+--------+
| [b, a] |
+--------+
```"#,
    argument(name = "json", description = "A JSON text."),
    related_udf(name = "json_extract")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct JsonKeys {
    signature: Signature,
}

impl Default for JsonKeys {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for JsonKeys {
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
        make_scalar_function(keys, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn keys(args: &[ArrayRef]) -> Result<ArrayRef> {
    let documents = Strings::try_new(&args[0], "json")?;
    let mut out = ListBuilder::new(StringBuilder::new());
    for document in documents.iter() {
        let keys = document.map(|document| json::keys(document).map_err(|e| malformed(NAME, document, &e)));
        let keys = keys.transpose()?.flatten();
        keys.iter().flatten().for_each(|key| out.values().append_value(key));
        out.append(keys.is_some());
    }
    Ok(Arc::new(out.finish()))
}
