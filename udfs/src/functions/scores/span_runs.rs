//! `span_runs(mask)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, ListArray, NullBufferBuilder, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use datafusion_macros::user_doc;

use super::lists::Masks;
use super::parameters::{Kind, Parameter, coerce, list_of, required, signature};
use crate::kernels::scores::tokens;

const NAME: &str = "span_runs";

const PARAMETERS: [Parameter; 1] = [required("mask", Kind::Flags)];

/// Returns the runs of true in a mask.
#[user_doc(
    doc_section(label = "Score Functions"),
    description = "The maximal runs of `true` in a mask, as structs of `start`, counted from 1, and `len`: `array_slice(list, start, start + len - 1)` is what a \
run covers, and `unnest` makes a row of each. NULL gives NULL; NULL among the values is an error.",
    syntax_example = "span_runs(mask)",
    sql_example = r#"```sql
> SELECT span_runs([true, true, false, true]) AS runs;
+------------------------------------------+
| runs                                     |
+------------------------------------------+
| [{start: 1, len: 2}, {start: 4, len: 1}] |
+------------------------------------------+
```"#,
    argument(name = "mask", description = "List of Booleans."),
    related_udf(name = "list_topk_mask")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SpanRuns {
    signature: Signature,
}

impl Default for SpanRuns {
    fn default() -> Self {
        Self { signature: signature(&PARAMETERS) }
    }
}

impl ScalarUDFImpl for SpanRuns {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_of(DataType::Struct(fields())))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &PARAMETERS, given)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(spans, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn fields() -> Fields {
    ["start", "len"].map(|name| Field::new(name, DataType::Int64, true)).into_iter().collect()
}

fn spans(args: &[ArrayRef]) -> Result<ArrayRef> {
    let masks = Masks::try_new(NAME, &args[0])?;
    let rows = args[0].len();
    let (mut starts, mut lengths) = (vec![], vec![]);
    let (mut counts, mut nulls) = (Vec::with_capacity(rows), NullBufferBuilder::new(rows));
    for row in 0..rows {
        let mask = masks.get(row)?;
        nulls.append(mask.is_some());
        let runs = mask.map(tokens::runs).unwrap_or_default();
        counts.push(runs.len());
        starts.extend(runs.iter().map(|run| run.start as i64 + 1));
        lengths.extend(runs.iter().map(|run| run.len() as i64));
    }
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(starts)), Arc::new(Int64Array::from(lengths))];
    let structs = StructArray::try_new(fields(), columns, None)?;
    let item = Arc::new(Field::new_list_field(DataType::Struct(fields()), true));
    Ok(Arc::new(ListArray::try_new(item, OffsetBuffer::from_lengths(counts), Arc::new(structs), nulls.finish())?))
}
