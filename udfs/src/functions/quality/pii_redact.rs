//! `pii_redact(text [, kinds])`.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use datafusion_macros::user_doc;

use super::rewrite::rewrite;
use crate::functions::strings::text;
use crate::kernels::quality::pii::{Kinds, redact};

/// Replaces personal data by placeholders.
#[user_doc(
    doc_section(label = "Quality Functions"),
    description = "Replaces personal data in a text: mail addresses by `<EMAIL>`, IP addresses by `<IP>`, phone numbers by `<PHONE>`. Precision comes first: what could well be something else stays. A mail address ends in a top-level domain in use, so `pkg@1.2.3`, `icon@2x.png`, `W@x.reshape`, `user@localhost` and git remotes such as `git@github.com:org/repo.git` stay. An IP address, v4 or v6, is replaced only where it is globally reachable: private, loopback, link-local, documentation, multicast and reserved ones stay, as do four-part versions (`version 1.2.3.4`, `name-1.2.3.4.jar`) and section numbers. A phone number is `+` with an assigned country code and as many digits as numbers of that country have, the North American form with separators as in `(212) 555-0123`, or a number that starts with 0 right behind a word such as `Tel.`; other national forms stay. `docs/quality.md` has the rules and the precision and recall measured. NULL gives NULL. An error is a list of kinds that is no literal or names another kind. The cost is one pass over the text for each kind.",
    syntax_example = "pii_redact(text [, kinds])",
    sql_example = r#"```sql
> SELECT pii_redact('Ann <ann@example.com> at 8.8.8.8, not 10.0.0.1, or (212) 555-0123') AS redacted;
+-------------------------------------------------+
| redacted                                        |
+-------------------------------------------------+
| Ann <<EMAIL>> at <IP>, not 10.0.0.1, or <PHONE> |
+-------------------------------------------------+
```"#,
    argument(name = "text", description = "The text to redact."),
    argument(
        name = "kinds",
        description = "Which kinds to replace, a literal list out of `email,ip,phone`; all of them by default."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct PiiRedact {
    signature: Signature,
}

impl Default for PiiRedact {
    fn default() -> Self {
        let forms = vec![TypeSignature::Coercible(vec![text()]), TypeSignature::Coercible(vec![text(), text()])];
        Self { signature: Signature::one_of(forms, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for PiiRedact {
    fn name(&self) -> &str {
        "pii_redact"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        Ok(args[0].clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        kinds(args.scalar_arguments.get(1).copied())?;
        Ok(Arc::new(Field::new(self.name(), args.arg_fields[0].data_type().clone(), args.arg_fields[0].is_nullable())))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let chosen = match args.args.get(1) {
            None => kinds(None)?,
            Some(ColumnarValue::Scalar(list)) => kinds(Some(Some(list)))?,
            Some(ColumnarValue::Array(_)) => {
                return internal_err!("pii_redact was planned with a literal list of kinds");
            }
        };
        make_scalar_function(move |args| rewrite(&args[0], "pii_redact", |text| redact(text, chosen)), vec![])(
            &args.args[..1],
        )
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

/// Reads the second argument, which may be missing, a column, or a literal.
fn kinds(list: Option<Option<&ScalarValue>>) -> Result<Kinds> {
    const ALLOWED: &str = "a literal list out of 'email,ip,phone'";
    match list {
        None => Ok(Kinds::ALL),
        Some(None) => plan_err!("argument kinds of pii_redact must be {ALLOWED}, not an expression"),
        Some(Some(value)) => match value.try_as_str().flatten() {
            Some(list) => match Kinds::parse(list) {
                Ok(kinds) => Ok(kinds),
                Err(entry) => plan_err!("argument kinds of pii_redact must be {ALLOWED}, found '{entry}' in '{list}'"),
            },
            None => plan_err!("argument kinds of pii_redact must be {ALLOWED}, not NULL"),
        },
    }
}
