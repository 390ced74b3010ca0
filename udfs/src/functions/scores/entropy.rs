//! `entropy(probs [, base])`.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion_macros::user_doc;

use super::lists::{Lists, column, log_base};
use super::parameters::{Kind, Parameter, coerce, optional, required, signature};
use crate::functions::literals::Literals;
use crate::kernels::scores::divergence;

const NAME: &str = "entropy";

const PARAMETERS: [Parameter; 2] = [required("probs", Kind::Numbers), optional("base", Kind::Any)];

/// Shannon entropy of a distribution.
#[user_doc(
    doc_section(label = "Score Functions"),
    description = "Shannon entropy `-sum(p ln p)`: 0 for a certain prediction, the logarithm of the number of classes for a uniform one. \
Probabilities are at least 0 and sum to one within 0.001 (0.01 in half precision). NULL gives NULL.",
    syntax_example = "entropy(probs [, base])",
    sql_example = r#"```sql
> SELECT entropy([0.5, 0.25, 0.25], 2) AS bits, entropy([1.0, 0.0]) AS sure;
+------+------+
| bits | sure |
+------+------+
| 1.5  | 0.0  |
+------+------+
```"#,
    argument(name = "probs", description = "List of probabilities."),
    argument(name = "base", description = "Number literal, base of the logarithm; e by default, 2 gives bits."),
    related_udf(name = "kl_divergence"),
    related_udf(name = "perplexity")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Entropy {
    signature: Signature,
}

impl Default for Entropy {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for Entropy {
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
        log_base(&Literals::planned(NAME, &args), 1)?;
        Ok(Field::new(NAME, DataType::Float64, true).into())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let base = log_base(&Literals::running(NAME, &args.args), 1)?;
        make_scalar_function(move |args| scores(base, args), vec![])(&args.args[..1])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn scores(base: f64, args: &[ArrayRef]) -> Result<ArrayRef> {
    let lists = Lists::try_new(NAME, "probs", &args[0])?;
    let mut buffer = vec![];
    column(args[0].len(), |row| Ok(lists.probabilities(row, &mut buffer)?.map(|p| divergence::entropy(p) / base)))
}
