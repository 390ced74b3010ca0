//! `simhash(text [, n [, unit]])`.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use datafusion_macros::user_doc;

use crate::functions::literals::{Literals, literal};
use crate::functions::strings::{Strings, text};
use crate::functions::text::{MAX_N, unit};
use crate::kernels::shingler::{Shingler, Unit};
use crate::kernels::simhash::simhash;

const NAME: &str = "simhash";
const DEFAULT_SIMHASH_N: usize = 3;

/// The 64-bit SimHash of the word shingles of a text.
#[user_doc(
    doc_section(label = "Sketch Functions"),
    description = "64-bit SimHash of a text (Charikar 2002): each bit is that of most of its word shingles, repeated ones counted \
as often as they stand. Near-duplicates differ in few bits, see `hamming_distance`; unrelated texts in about 32. NULL and a \
text without words give NULL.",
    syntax_example = "simhash(text [, n [, unit]])",
    sql_example = r#"```sql
> SELECT simhash('the cat sat on the mat') AS s,
    hamming_distance(simhash('the cat sat on the mat', 1), simhash('the cat sat on a mat', 1)) AS bits;
+---------------------+------+
| s                   | bits |
+---------------------+------+
| 9896693166898291370 | 12   |
+---------------------+------+
```"#,
    argument(name = "text", description = "The text."),
    argument(name = "n", description = "Words in a shingle, a literal from 1 to 1000; 3 by default."),
    argument(
        name = "unit",
        description = "`'word'` (the default), `'token'`, `'python_word'` or `'char'`; a literal. See `docs/units.md`."
    ),
    related_udf(name = "hamming_distance")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Simhash {
    signature: Signature,
}

impl Default for Simhash {
    fn default() -> Self {
        let arguments = vec![
            TypeSignature::Coercible(vec![text()]),
            TypeSignature::Coercible(vec![text(), literal()]),
            TypeSignature::Coercible(vec![text(), literal(), literal()]),
        ];
        Self { signature: Signature::one_of(arguments, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Simhash {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt64)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        shape(&Literals::planned(NAME, &args))?;
        Ok(Field::new(NAME, DataType::UInt64, true).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (unit, n) = shape(&Literals::running(NAME, &args.args))?;
        make_scalar_function(move |args| hash(unit, n, args), vec![])(&args.args[..1])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn shape(literals: &Literals<'_>) -> Result<(Unit, usize)> {
    let n = literals.count(1, "n", 1..=MAX_N)?.unwrap_or(DEFAULT_SIMHASH_N);
    Ok((unit(literals, 2)?, n))
}

fn hash(unit: Unit, n: usize, args: &[ArrayRef]) -> Result<ArrayRef> {
    let texts = Strings::try_new(&args[0], "the text of simhash")?;
    let mut shingler = Shingler::new(unit, n);
    let mut shingles = Vec::new();
    let hashes = texts.iter().map(|text| {
        shingler.hashes(text?, &mut shingles);
        simhash(&shingles)
    });
    Ok(Arc::new(hashes.collect::<UInt64Array>()))
}
