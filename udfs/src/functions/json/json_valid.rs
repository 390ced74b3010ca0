//! `json_valid(text)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use datafusion_macros::user_doc;

use crate::functions::scores::parameters::{Kind, Parameter, coerce, required, signature};
use crate::functions::strings::Strings;
use crate::kernels::json;

const NAME: &str = "json_valid";

const PARAMETERS: [Parameter; 1] = [required("text", Kind::Text)];

/// Whether a text is one JSON value.
#[user_doc(
    doc_section(label = "JSON Functions"),
    description = "Whether a text is one JSON value. NULL gives NULL.",
    syntax_example = "json_valid(text)",
    sql_example = r#"```sql
> SELECT json_valid('{"a": 1}') AS object, json_valid('{"a": 1') AS cut;
+--------+-------+
| object | cut   |
+--------+-------+
| true   | false |
+--------+-------+
```"#,
    argument(name = "text", description = "The text."),
    related_udf(name = "json_extract")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct JsonValid {
    signature: Signature,
}

impl Default for JsonValid {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for JsonValid {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(valid, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn valid(args: &[ArrayRef]) -> Result<ArrayRef> {
    let documents = Strings::try_new(&args[0], "json")?;
    let valid: BooleanArray = documents.iter().map(|document| document.map(json::is_valid)).collect();
    Ok(Arc::new(valid))
}
