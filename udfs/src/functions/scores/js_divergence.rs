//! `js_divergence(p, q [, base])`.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion_macros::user_doc;

use super::lists::{Lists, column, log_base};
use super::parameters::{Kind, Parameter, coerce, optional, required, signature};
use crate::functions::literals::Literals;
use crate::kernels::scores::divergence;

const NAME: &str = "js_divergence";

const PARAMETERS: [Parameter; 3] =
    [required("p", Kind::Numbers), required("q", Kind::Numbers), optional("base", Kind::Any)];

/// Jensen-Shannon divergence of two distributions.
#[user_doc(
    doc_section(label = "Score Functions"),
    description = "Jensen-Shannon divergence: the mean Kullback-Leibler divergence of both from their mixture. Symmetric, from 0 to ln 2. \
Probabilities are at least 0 and sum to one within 0.001 (0.01 in half precision). NULL gives NULL.",
    syntax_example = "js_divergence(p, q [, base])",
    sql_example = r#"```sql
> SELECT js_divergence([0.5, 0.5], [0.25, 0.75]) AS nats, js_divergence([1.0, 0.0], [0.0, 1.0], 2) AS most;
+---------------------+------+
| nats                | most |
+---------------------+------+
| 0.03382207556860522 | 1.0  |
+---------------------+------+
```"#,
    argument(name = "p", description = "List of probabilities."),
    argument(name = "q", description = "List of as many."),
    argument(name = "base", description = "Number literal, base of the logarithm; e by default, 2 gives bits."),
    related_udf(name = "kl_divergence")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct JsDivergence {
    signature: Signature,
}

impl Default for JsDivergence {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for JsDivergence {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        log_base(&Literals::planned(NAME, &args), 2)?;
        Ok(Field::new(NAME, DataType::Float64, true).into())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let base = log_base(&Literals::running(NAME, &args.args), 2)?;
        make_scalar_function(move |args| scores(base, args), vec![])(&args.args[..2])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn scores(base: f64, args: &[ArrayRef]) -> Result<ArrayRef> {
    let (ps, qs) = (Lists::try_new(NAME, "p", &args[0])?, Lists::try_new(NAME, "q", &args[1])?);
    let (mut p, mut q) = (vec![], vec![]);
    column(args[0].len(), |row| match (ps.probabilities(row, &mut p)?, qs.probabilities(row, &mut q)?) {
        (Some(p), Some(q)) if p.len() == q.len() => Ok(Some(divergence::jensen_shannon(p, q) / base)),
        (Some(p), Some(q)) => exec_err!("{NAME}: p has {} values and q has {}", p.len(), q.len()),
        _ => Ok(None),
    })
}
