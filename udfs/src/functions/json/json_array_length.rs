//! `json_array_length(json)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use datafusion_macros::user_doc;

use super::malformed;
use crate::functions::scores::parameters::{Kind, Parameter, coerce, required, signature};
use crate::functions::strings::Strings;
use crate::kernels::json;

const NAME: &str = "json_array_length";

const PARAMETERS: [Parameter; 1] = [required("json", Kind::Text)];

/// Returns the number of items of a JSON array; NULL for any other value.
#[user_doc(
    doc_section(label = "JSON Functions"),
    description = "The number of items of a JSON array; NULL for any other value. A text that is no JSON is an error.",
    syntax_example = "json_array_length(json)",
    sql_example = r#"```sql
> SELECT json_array_length('[1, [2, 3]]') AS items, json_array_length('{}') AS of_object;
+-------+-----------+
| items | of_object |
+-------+-----------+
| 2     |           |
+-------+-----------+
```"#,
    argument(name = "json", description = "A JSON text."),
    related_udf(name = "json_extract")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct JsonArrayLength {
    signature: Signature,
}

impl Default for JsonArrayLength {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for JsonArrayLength {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(lengths, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn lengths(args: &[ArrayRef]) -> Result<ArrayRef> {
    let documents = Strings::try_new(&args[0], "json")?;
    let length = |document: &str| {
        let found = json::array_length(document).map_err(|e| malformed(NAME, document, &e))?;
        Ok(found.map(|items| i64::try_from(items).unwrap_or(i64::MAX)))
    };
    let lengths = documents.iter().map(|document| document.map_or(Ok(None), length)).collect::<Result<Int64Array>>()?;
    Ok(Arc::new(lengths))
}
