//! `xxh3_64(text)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;
use xxhash_rust::xxh3;

use crate::functions::strings::{Strings, text};

/// 64-bit XXH3 of the UTF-8 bytes, seed 0.
#[user_doc(
    doc_section(label = "Hash Functions"),
    description = "64-bit XXH3 hash (seed 0) of the UTF-8 bytes of a text. NULL gives NULL; the empty text has a hash.",
    syntax_example = "xxh3_64(text)",
    sql_example = r#"```sql
> SELECT xxh3_64('limpid') AS h;
+---------------------+
| h                   |
+---------------------+
| 3841509720362876416 |
+---------------------+
```"#,
    argument(name = "text", description = "The text to hash.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Xxh364 {
    signature: Signature,
}

impl Default for Xxh364 {
    fn default() -> Self {
        Self { signature: Signature::coercible(vec![text()], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Xxh364 {
    fn name(&self) -> &str {
        "xxh3_64"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(hash, vec![])(&args.args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn hash(args: &[ArrayRef]) -> Result<ArrayRef> {
    let texts = Strings::try_new(&args[0], "the argument of xxh3_64")?;
    Ok(Arc::new(texts.iter().map(|t| t.map(|t| xxh3::xxh3_64(t.as_bytes()))).collect::<UInt64Array>()))
}
