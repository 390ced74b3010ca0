//! `list_topk_mask(values, fraction [, which])`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder, ListBuilder};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, exec_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use datafusion_macros::user_doc;

use super::lists::Lists;
use super::parameters::{Kind, Parameter, coerce, list_of, optional, required, signature};
use crate::functions::literals::Literals;
use crate::kernels::scores::tokens;

const NAME: &str = "list_topk_mask";

const PARAMETERS: [Parameter; 3] =
    [required("values", Kind::Numbers), required("fraction", Kind::Number), optional("which", Kind::Any)];

/// Marks the highest or lowest values of a list.
#[user_doc(
    doc_section(label = "Score Functions"),
    description = "Marks a share of the values of a list, the highest or the lowest: `round(fraction * length)` of them, of equal values the earlier. NULL gives \
NULL; NaN, infinity, NULL among the values and a fraction outside [0, 1] are errors. O(n log n) a list.",
    syntax_example = "list_topk_mask(values, fraction [, which])",
    sql_example = r#"```sql
> SELECT list_topk_mask([3.0, 9.0, 1.0, 9.0], 0.5) AS high, list_topk_mask([3.0, 9.0, 1.0, 9.0], 0.25, 'low') AS low;
+----------------------------+-----------------------------+
| high                       | low                         |
+----------------------------+-----------------------------+
| [false, true, false, true] | [false, false, true, false] |
+----------------------------+-----------------------------+
```"#,
    argument(name = "values", description = "List of numbers."),
    argument(name = "fraction", description = "Share of the values to mark, from 0 to 1."),
    argument(name = "which", description = "Literal `'high'` (the default) or `'low'`."),
    related_udf(name = "span_runs"),
    related_udf(name = "neighbor_score")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ListTopkMask {
    signature: Signature,
}

impl Default for ListTopkMask {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for ListTopkMask {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_of(DataType::Boolean))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        highest(&Literals::planned(NAME, &args))?;
        Ok(Field::new(NAME, list_of(DataType::Boolean), true).into())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let highest = highest(&Literals::running(NAME, &args.args))?;
        make_scalar_function(move |args| masks(highest, args), vec![])(&args.args[..2])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn highest(literals: &Literals<'_>) -> Result<bool> {
    Ok(literals.choice(2, "which", &["high", "low"])? == "high")
}

fn masks(highest: bool, args: &[ArrayRef]) -> Result<ArrayRef> {
    let lists = Lists::try_new(NAME, "values", &args[0])?;
    let fractions = args[1].as_primitive::<Float64Type>();
    let mut buffer = vec![];
    let mut out = ListBuilder::new(BooleanBuilder::new());
    for row in 0..fractions.len() {
        let values = lists.finite(row, &mut buffer)?;
        let (Some(values), true) = (values, fractions.is_valid(row)) else {
            out.append_null();
            continue;
        };
        let fraction = fractions.value(row);
        if !(0.0..=1.0).contains(&fraction) {
            return exec_err!("{NAME}: fraction must be from 0 to 1, not {fraction}");
        }
        let count = (fraction * values.len() as f64).round() as usize;
        out.append_value(tokens::top_mask(values, count, highest).into_iter().map(Some));
    }
    Ok(Arc::new(out.finish()))
}
