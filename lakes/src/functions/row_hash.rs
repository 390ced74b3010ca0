//! `row_hash(a, b, ...)`.

use std::sync::Arc;

use arrow::array::FixedSizeBinaryArray;
use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use crate::cells::{Cells, is_supported};
use crate::kernels::canonical::Form;
use crate::kernels::row_hash::{column_key, finish};

const BYTES: i32 = 16;

/// 128-bit hash of a row by value.
#[user_doc(
    doc_section(label = "Hash Functions"),
    description = "128-bit hash of several values together (`FixedSizeBinary(16)`), equal for equal rows whatever types carry them: \
1, 1.0 and DECIMAL 1.00 are one, as are a date and the timestamp at its midnight, -0.0 and 0, all NaN, and every NULL. Texts are \
compared byte for byte; booleans are no numbers; timestamps with a time zone differ from those without. Never NULL. Two of a billion \
different rows collide with a chance of 1.5e-21; the hash is not keyed, so it is no proof against forgery.",
    syntax_example = "row_hash(value, ...)",
    sql_example = r#"```sql
> SELECT row_hash(1, 'a', NULL) = row_hash(1.0, 'a', NULL) AS by_value, row_hash(1, 2) = row_hash(2, 1) AS swapped;
+----------+---------+
| by_value | swapped |
+----------+---------+
| true     | false   |
+----------+---------+
```"#,
    argument(name = "value", description = "Values of any types but unions, in the order that counts.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RowHash {
    signature: Signature,
}

impl Default for RowHash {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for RowHash {
    fn name(&self) -> &str {
        "row_hash"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if types.is_empty() {
            return plan_err!("row_hash needs at least one value");
        }
        match types.iter().find(|data_type| !is_supported(data_type)) {
            Some(bad) => plan_err!("row_hash does not take values of type {bad}; it takes all but unions"),
            None => Ok(types.to_vec()),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::FixedSizeBinary(BYTES))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut sums = vec![0_u128; args.number_rows];
        for (at, value) in args.args.iter().enumerate() {
            let key = column_key(&at.to_string());
            match value {
                ColumnarValue::Scalar(value) => {
                    let cells = Cells::try_new(&value.to_array()?, Form::Value)?;
                    cells.hashes(|_, hash| {
                        sums.iter_mut().for_each(|sum| *sum = sum.wrapping_add(hash.wrapping_mul(key)));
                    });
                }
                ColumnarValue::Array(values) => {
                    let cells = Cells::try_new(values, Form::Value)?;
                    cells.hashes(|row, hash| sums[row] = sums[row].wrapping_add(hash.wrapping_mul(key)));
                }
            }
        }
        let rows = sums.into_iter().map(|sum| finish(sum).to_be_bytes());
        Ok(ColumnarValue::Array(Arc::new(FixedSizeBinaryArray::try_from_iter(rows).or_else(
            |e| match args.number_rows {
                0 => Ok(FixedSizeBinaryArray::new_null(BYTES, 0)),
                _ => Err(e),
            },
        )?)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
