//! `minhash(text, num_perm [, n [, seed [, unit]]])`.

use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeListArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, internal_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use datafusion_macros::user_doc;

use super::signatures::{MAX_PERMUTATIONS, fixed_list};
use crate::functions::literals::{Literals, literal};
use crate::functions::strings::{Strings, text};
use crate::functions::text::{DEFAULT_N, MAX_N, unit};
use crate::kernels::minhash::MinHasher;
use crate::kernels::shingler::{Shingler, Unit};

const NAME: &str = "minhash";
const DEFAULT_SEED: i64 = 42;

/// Returns the MinHash signature of the word shingles of a text.
#[user_doc(
    doc_section(label = "Sketch Functions"),
    description = "MinHash signature of a text, a list of `num_perm` UInt32: the least value of its shingles under each of \
`num_perm` seeded permutations (Broder 1997). `minhash_jaccard` of two signatures estimates `jaccard` of the texts with a \
standard error of at most `0.5 / sqrt(num_perm)`. Shingles are those of `word_shingles`. NULL and a text without words give \
NULL, so that texts without words are not taken for alike.",
    syntax_example = "minhash(text, num_perm [, n [, seed [, unit]]])",
    sql_example = r#"```sql
> SELECT minhash('the cat sat on the mat', 4, 2) AS signature;
+-----------------------------------------------+
| signature                                     |
+-----------------------------------------------+
| [2195468240, 931594528, 144959820, 911962652] |
+-----------------------------------------------+
```"#,
    argument(name = "text", description = "The text."),
    argument(name = "num_perm", description = "Permutations, a literal from 1 to 4096."),
    argument(name = "n", description = "Words in a shingle, a literal from 1 to 1000; 5 by default."),
    argument(name = "seed", description = "Integer literal that draws the permutations; 42 by default."),
    argument(
        name = "unit",
        description = "`'word'` (the default), `'token'`, `'python_word'` or `'char'`; a literal. See `docs/units.md`."
    ),
    related_udf(name = "minhash_jaccard"),
    related_udf(name = "lsh_bands")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Minhash {
    signature: Signature,
}

impl Default for Minhash {
    fn default() -> Self {
        let arguments = (1..=4).map(|literals| {
            let mut arguments = vec![literal(); literals + 1];
            arguments[0] = text();
            TypeSignature::Coercible(arguments)
        });
        Self { signature: Signature::one_of(arguments.collect(), Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Minhash {
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
        let shape = Shape::of(&Literals::planned(NAME, &args))?;
        Ok(Field::new(NAME, fixed_list(DataType::UInt32, shape.num_perm), true).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let shape = Shape::of(&Literals::running(NAME, &args.args))?;
        make_scalar_function(move |args| signatures(shape, args), vec![])(&args.args[..1])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

#[derive(Debug, Clone, Copy)]
struct Shape {
    num_perm: usize,
    n: usize,
    seed: i64,
    unit: Unit,
}

impl Shape {
    fn of(literals: &Literals<'_>) -> Result<Self> {
        Ok(Self {
            num_perm: literals.count(1, "num_perm", 1..=MAX_PERMUTATIONS)?.unwrap_or(1),
            n: literals.count(2, "n", 1..=MAX_N)?.unwrap_or(DEFAULT_N),
            seed: literals.int(3, "seed", i64::MIN..=i64::MAX)?.unwrap_or(DEFAULT_SEED),
            unit: unit(literals, 4)?,
        })
    }
}

fn signatures(shape: Shape, args: &[ArrayRef]) -> Result<ArrayRef> {
    let texts = Strings::try_new(&args[0], "the text of minhash")?;
    let hasher = MinHasher::new(shape.num_perm, shape.seed.cast_unsigned());
    let mut shingler = Shingler::new(shape.unit, shape.n);
    let mut shingles = Vec::new();
    let mut values = vec![0; texts.len() * shape.num_perm];
    let mut valid = Vec::with_capacity(texts.len());
    for (text, signature) in texts.iter().zip(values.chunks_exact_mut(shape.num_perm)) {
        shingles.clear();
        if let Some(text) = text {
            shingler.hashes(text, &mut shingles);
            hasher.signature(&shingles, signature);
        }
        valid.push(!shingles.is_empty());
    }
    let item = Field::new_list_field(DataType::UInt32, true).into();
    let values = Arc::new(UInt32Array::from(values));
    let nulls = Some(NullBuffer::from(valid));
    Ok(Arc::new(FixedSizeListArray::try_new(item, shape.num_perm as i32, values, nulls)?))
}
