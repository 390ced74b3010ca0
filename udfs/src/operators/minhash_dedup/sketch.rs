//! `minhash_sketch(text, unit, ngram, bands, rows, seed)`: what `minhash_dedup` needs of a text, in one pass over it.

use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeBinaryArray, FixedSizeListArray, LargeListArray, StructArray, UInt64Array};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use datafusion_macros::user_doc;
use xxhash_rust::xxh3::xxh3_128;

use super::sets::Table;
use crate::functions::strings::Strings;
use crate::kernels::lsh::band_hashes;
use crate::kernels::minhash::MinHasher;
use crate::kernels::shingles::{char_shingle_hashes, shingle_hashes};
use crate::kernels::words::Tokenizer;

/// The fields of a sketch of `bands` bands.
pub fn fields(bands: i32) -> Fields {
    let item = Arc::new(Field::new_list_field(DataType::UInt64, false));
    Fields::from(vec![
        Field::new("content", DataType::FixedSizeBinary(16), false),
        Field::new("cells", DataType::FixedSizeList(Arc::clone(&item), bands), false),
        Field::new("shingles", DataType::LargeList(item), false),
    ])
}

/// What shingles are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Unit {
    Word,
    Char,
}

/// Constant arguments of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Parameters {
    unit: Unit,
    ngram: usize,
    bands: usize,
    rows: usize,
    seed: u64,
}

impl Parameters {
    fn try_new(literals: &[Option<&ScalarValue>]) -> Result<Self> {
        let unit = match literals.get(1) {
            Some(Some(ScalarValue::Utf8(Some(unit)) | ScalarValue::Utf8View(Some(unit)))) => match unit.as_str() {
                "word" => Unit::Word,
                "char" => Unit::Char,
                other => return plan_err!("minhash_sketch: unit must be 'word' or 'char', not '{other}'"),
            },
            _ => return plan_err!("minhash_sketch: unit must be the literal 'word' or 'char'"),
        };
        let number = |at: usize, name: &str, most: u64| match literals.get(at).copied().flatten() {
            Some(ScalarValue::Int64(Some(v))) if (1..=most as i64).contains(v) => Ok(*v as u64),
            Some(ScalarValue::UInt64(Some(v))) if (1..=most).contains(v) => Ok(*v),
            Some(other) => plan_err!("minhash_sketch: {name} must be a whole number from 1 to {most}, not {other}"),
            None => plan_err!("minhash_sketch: {name} must be a literal whole number from 1 to {most}"),
        };
        let seed = match literals.get(5).copied().flatten() {
            Some(ScalarValue::Int64(Some(v))) => *v as u64,
            Some(ScalarValue::UInt64(Some(v))) => *v,
            _ => return plan_err!("minhash_sketch: seed must be a literal whole number"),
        };
        Ok(Self {
            unit,
            ngram: number(2, "ngram", 1000)? as usize,
            bands: number(3, "bands", 4096)? as usize,
            rows: number(4, "rows", 64)? as usize,
            seed,
        })
    }
}

/// The sketch of a text: equal contents, LSH cells, and the shingles themselves.
#[user_doc(
    doc_section(label = "Sketch Functions"),
    description = "Everything `minhash_dedup` needs of a text, in one pass: `content`, a 128-bit hash that is equal for texts of equal words (unit 'word') or equal characters (unit 'char'); `cells`, one 64-bit hash a band of `rows` MinHash values, equal with probability J^rows for texts of Jaccard similarity J; `shingles`, the distinct shingles as 64-bit hashes. A text with fewer units than `ngram` has one shingle, the whole of it; a text without any has none. NULL gives NULL.",
    syntax_example = "minhash_sketch(text, unit, ngram, bands, rows, seed)",
    sql_example = r#"```sql
> SELECT array_length(s['cells']) AS cells, array_length(s['shingles']) AS shingles FROM (SELECT minhash_sketch('the cat sat on the mat', 'word', 3, 17, 4, 42) AS s);
+-------+----------+
| cells | shingles |
+-------+----------+
| 17    | 4        |
+-------+----------+
```"#,
    argument(name = "text", description = "The text."),
    argument(name = "unit", description = "'word' (lower-cased runs of letters, digits and underscores) or 'char'."),
    argument(name = "ngram", description = "Units a shingle."),
    argument(name = "bands", description = "Number of cells."),
    argument(name = "rows", description = "MinHash values a cell is made of."),
    argument(name = "seed", description = "Seed of the permutations.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct MinhashSketch {
    signature: Signature,
}

impl Default for MinhashSketch {
    fn default() -> Self {
        let rest = [DataType::Utf8, DataType::Int64, DataType::Int64, DataType::Int64, DataType::Int64];
        let texts = [DataType::Utf8View, DataType::Utf8, DataType::LargeUtf8];
        let exact = texts.map(|text| TypeSignature::Exact([vec![text], rest.to_vec()].concat()));
        Self { signature: Signature::one_of(exact.to_vec(), Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for MinhashSketch {
    fn name(&self) -> &str {
        "minhash_sketch"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("minhash_sketch: unit, ngram, bands, rows and seed must be literals")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<Arc<Field>> {
        let parameters = Parameters::try_new(args.scalar_arguments)?;
        Ok(Arc::new(Field::new(self.name(), DataType::Struct(fields(parameters.bands as i32)), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let literals: Vec<Option<&ScalarValue>> = args
            .args
            .iter()
            .map(|arg| match arg {
                ColumnarValue::Scalar(value) => Some(value),
                ColumnarValue::Array(_) => None,
            })
            .collect();
        let parameters = Parameters::try_new(&literals)?;
        let texts = args.args[0].to_array(args.number_rows)?;
        Ok(ColumnarValue::Array(sketch(&texts, parameters)?))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn sketch(texts: &ArrayRef, parameters: Parameters) -> Result<ArrayRef> {
    let texts = Strings::try_new(texts, "the first argument of minhash_sketch")?;
    let mut sketcher = Sketcher::new(parameters);
    let mut valid = Vec::with_capacity(texts.len());
    let mut lengths = Vec::with_capacity(texts.len());
    for text in texts.iter() {
        let before = sketcher.shingles.len();
        match text {
            Some(text) => sketcher.add(text),
            None => sketcher.add_null(),
        }
        valid.push(text.is_some());
        lengths.push(sketcher.shingles.len() - before);
    }
    let fields = fields(parameters.bands as i32);
    let item = || Arc::new(Field::new_list_field(DataType::UInt64, false));
    let values = |values: Vec<u64>| Arc::new(UInt64Array::new(ScalarBuffer::from(values), None));
    let content = FixedSizeBinaryArray::try_new(16, Buffer::from(sketcher.content), None)?;
    let cells = FixedSizeListArray::try_new(item(), parameters.bands as i32, values(sketcher.cells), None)?;
    let offsets = OffsetBuffer::<i64>::from_lengths(lengths);
    let shingles = LargeListArray::try_new(item(), offsets, values(sketcher.shingles), None)?;
    let columns: Vec<ArrayRef> = vec![Arc::new(content), Arc::new(cells), Arc::new(shingles)];
    let nulls = NullBuffer::from(valid);
    StructArray::try_new(fields, columns, Some(nulls))
        .map(|a| Arc::new(a) as ArrayRef)
        .map_err(|e| exec_datafusion_err!("minhash_sketch: {e}"))
}

/// Buffers and hash functions used for every text of a batch.
struct Sketcher {
    parameters: Parameters,
    tokenizer: Tokenizer,
    hasher: MinHasher,
    words: Vec<u64>,
    all: Vec<u64>,
    table: Table,
    signature: Vec<u32>,
    content: Vec<u8>,
    cells: Vec<u64>,
    shingles: Vec<u64>,
}

impl Sketcher {
    fn new(parameters: Parameters) -> Self {
        let hashes = parameters.bands * parameters.rows;
        Self {
            parameters,
            tokenizer: Tokenizer::default(),
            hasher: MinHasher::new(hashes, parameters.seed),
            words: vec![],
            all: vec![],
            table: Table::default(),
            signature: vec![0; hashes],
            content: vec![],
            cells: vec![],
            shingles: vec![],
        }
    }

    fn add_null(&mut self) {
        self.content.extend([0; 16]);
        self.cells.extend(std::iter::repeat_n(0, self.parameters.bands));
    }

    fn add(&mut self, text: &str) {
        self.all.clear();
        let content = match self.parameters.unit {
            Unit::Word => {
                self.words.clear();
                self.tokenizer.word_hashes(text, &mut self.words);
                shingle_hashes(&self.words, self.parameters.ngram, &mut self.all);
                content_hash(&self.words, text)
            }
            Unit::Char => {
                char_shingle_hashes(text, self.parameters.ngram, &mut self.all);
                xxh3_128(text.as_bytes())
            }
        };
        self.content.extend(content.to_le_bytes());
        let first = self.shingles.len();
        self.table.clear(self.all.len());
        for &shingle in &self.all {
            // Zero marks an empty slot of the tables; the one value that is zero becomes one.
            let shingle = shingle.max(1);
            if self.table.insert(shingle) {
                self.shingles.push(shingle);
            }
        }
        let distinct = &self.shingles[first..];
        if distinct.is_empty() {
            self.cells.extend(std::iter::repeat_n(0, self.parameters.bands));
            return;
        }
        self.hasher.signature(distinct, &mut self.signature);
        let end = self.cells.len();
        self.cells.resize(end + self.parameters.bands, 0);
        band_hashes(&self.signature, &mut self.cells[end..]);
    }
}

/// Equal for equal words; for a text without words, for equal bytes.
fn content_hash(words: &[u64], text: &str) -> u128 {
    if words.is_empty() {
        return !xxh3_128(text.as_bytes());
    }
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    xxh3_128(&bytes)
}
