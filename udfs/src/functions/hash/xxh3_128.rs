//! `xxh3_128(text)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeBinaryArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;
use xxhash_rust::xxh3;

use crate::functions::strings::{Strings, text};

const BYTES: i32 = 16;

/// 128-bit XXH3 of the UTF-8 bytes, seed 0.
#[user_doc(
    doc_section(label = "Hash Functions"),
    description = "128-bit XXH3 hash (seed 0) of the UTF-8 bytes of a text, as 16 bytes (`FixedSizeBinary(16)`) in the canonical, \
big-endian order: its `encode(..., 'hex')` is what `xxhsum -H2` prints. NULL gives NULL; the empty text has a hash.",
    syntax_example = "xxh3_128(text)",
    sql_example = r#"```sql
> SELECT xxh3_128('limpid') AS h;
+----------------------------------+
| h                                |
+----------------------------------+
| 54677a9d828cdf3534e1133619a29cb0 |
+----------------------------------+
```"#,
    argument(name = "text", description = "The text to hash.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Xxh3128 {
    signature: Signature,
}

impl Default for Xxh3128 {
    fn default() -> Self {
        Self { signature: Signature::coercible(vec![text()], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Xxh3128 {
    fn name(&self) -> &str {
        "xxh3_128"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::FixedSizeBinary(BYTES))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(hash, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn hash(args: &[ArrayRef]) -> Result<ArrayRef> {
    let texts = Strings::try_new(&args[0], "the argument of xxh3_128")?;
    let hashes = texts.iter().map(|text| text.map(|text| xxh3::xxh3_128(text.as_bytes()).to_be_bytes()));
    Ok(Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(hashes, BYTES)?))
}
