//! `lsh_bands(signature, bands)`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, FixedSizeListArray, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, internal_err, plan_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use super::signatures::{MAX_PERMUTATIONS, Signatures, coerce, fixed_list};
use crate::functions::literals::Literals;
use crate::kernels::lsh::band_hashes;

const NAME: &str = "lsh_bands";

/// Returns one hash per band of a MinHash signature.
#[user_doc(
    doc_section(label = "Sketch Functions"),
    description = "One 64-bit hash for each of `bands` equal bands of a MinHash signature, a list of `bands` UInt64. Two texts \
whose lists share a value are candidates for a near-duplicate: with `r` values in a band, a pair of Jaccard similarity `s` is one \
with probability `1 - (1 - s^r)^bands`. The number of a band is part of its hash, so that the lists may be unnested and joined \
on the hash alone. NULL gives NULL.",
    syntax_example = "lsh_bands(signature, bands)",
    sql_example = r#"```sql
> SELECT lsh_bands(minhash('the cat sat on the mat', 8, 2), 2) AS bands;
+--------------------------------------------+
| bands                                      |
+--------------------------------------------+
| [6838943393083638765, 3865137116989733310] |
+--------------------------------------------+
```"#,
    argument(name = "signature", description = "A signature of `minhash`."),
    argument(name = "bands", description = "Number of bands, a literal that divides the length of the signature."),
    related_udf(name = "minhash")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct LshBands {
    signature: Signature,
}

impl Default for LshBands {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for LshBands {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type of {NAME} depends on its literals")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let bands = bands(&Literals::planned(NAME, &args))?;
        if let DataType::FixedSizeList(_, width) = args.arg_fields[0].data_type() {
            check(usize::try_from(*width).unwrap_or_default(), bands)?;
        }
        Ok(Field::new(NAME, fixed_list(DataType::UInt64, bands), true).into())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [signature, bands] = take_function_args(NAME, given)?;
        Ok(vec![coerce(NAME, signature)?, bands.clone()])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let bands = bands(&Literals::running(NAME, &args.args))?;
        make_scalar_function(move |args| hashes(bands, args), vec![])(&args.args[..1])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn bands(literals: &Literals<'_>) -> Result<usize> {
    Ok(literals.count(1, "bands", 1..=MAX_PERMUTATIONS)?.unwrap_or(1))
}

fn check(length: usize, bands: usize) -> Result<()> {
    if length == 0 || !length.is_multiple_of(bands) {
        return plan_err!("{NAME}: bands must divide the {length} values of the signature, and {bands} does not");
    }
    Ok(())
}

fn hashes(bands: usize, args: &[ArrayRef]) -> Result<ArrayRef> {
    let signatures = Signatures::try_new(NAME, &args[0])?;
    let rows = args[0].len();
    let mut values = vec![0; rows * bands];
    let mut valid = Vec::with_capacity(rows);
    for (row, out) in values.chunks_exact_mut(bands).enumerate() {
        let signature = signatures.get(row)?;
        if let Some(signature) = signature {
            check(signature.len(), bands)?;
            band_hashes(signature, out);
        }
        valid.push(signature.is_some());
    }
    let item = Field::new_list_field(DataType::UInt64, true).into();
    let values = Arc::new(UInt64Array::from(values));
    let nulls = Some(NullBuffer::from(valid));
    Ok(Arc::new(FixedSizeListArray::try_new(item, bands as i32, values, nulls)?))
}
