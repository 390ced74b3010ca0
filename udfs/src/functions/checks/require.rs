//! `require(condition, message [, level])`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use crate::functions::scores::parameters::{Kind, Parameter, coerce, optional, required};
use crate::functions::strings::Strings;

const NAME: &str = "require";

const PARAMETERS: [Parameter; 3] =
    [required("condition", Kind::Flag), required("message", Kind::Text), optional("level", Kind::Text)];

/// Returns true, or fails with the given message.
#[user_doc(
    doc_section(label = "Check Functions"),
    description = "True where the condition holds. Where it is false or NULL the query ends with the message as its error; with the level \
'warning' the message is logged and the query goes on. A NULL message says that the condition failed, no more. The condition is looked at for \
every row that reaches the function, and in no fixed order: `WHERE require(n = 1, 'id ' || id || ' comes ' || n || ' times')`.",
    syntax_example = "require(condition, message [, level])",
    sql_example = r#"```sql
> SELECT id, require(price >= 0, 'row ' || id || ' has the price ' || price) AS checked FROM (VALUES (1, 5), (2, 0)) AS t(id, price);
+----+---------+
| id | checked |
+----+---------+
| 1  | true    |
| 2  | true    |
+----+---------+
```"#,
    argument(name = "condition", description = "What must hold."),
    argument(name = "message", description = "What is said where it does not."),
    argument(name = "level", description = "'error' (default) or 'warning'.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Require {
    signature: Signature,
}

impl Default for Require {
    fn default() -> Self {
        let names = PARAMETERS.iter().map(|parameter| parameter.name()).collect();
        // Volatile, so that the optimizer neither drops nor moves a check that is made for its effect.
        let plain = || Signature::user_defined(Volatility::Volatile);
        Self {
            signature: plain()
                .with_parameter_names(names)
                .unwrap_or_else(|_: datafusion::error::DataFusionError| plain()),
        }
    }
}

impl ScalarUDFImpl for Require {
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
        make_scalar_function(checked, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn checked(args: &[ArrayRef]) -> Result<ArrayRef> {
    let conditions = args[0].as_boolean();
    let messages = Strings::try_new(&args[1], "message")?;
    let levels = args.get(2).map(|levels| Strings::try_new(levels, "level")).transpose()?;
    let mut levels = levels.as_ref().map(Strings::iter);
    for (row, message) in messages.iter().enumerate() {
        let level = levels.as_mut().map_or(Some("error"), |levels| levels.next().flatten());
        let holds = conditions.is_valid(row) && conditions.value(row);
        let message = message.unwrap_or("a condition that was required does not hold");
        match level {
            Some("error" | "warning") if holds => {}
            Some("error") => return exec_err!("{message}"),
            Some("warning") => log::warn!("{message}"),
            other => return plan_err!("{NAME}: level must be 'error' or 'warning', not {}", other.unwrap_or("NULL")),
        }
    }
    Ok(Arc::new(BooleanArray::from(vec![true; conditions.len()])))
}
