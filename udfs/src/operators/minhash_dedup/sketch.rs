//! Sketches of texts, by which `minhash_dedup` compares rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeBinaryArray, FixedSizeListArray, LargeListArray, StructArray, UInt64Array};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, exec_datafusion_err};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::seen::Seen;
use super::sets::{Table, to_bytes};
use crate::functions::strings::Strings;
use crate::kernels::lsh;
use crate::kernels::minhash::MinHasher;
use crate::kernels::presets::{self, Preset, PresetSketcher};
use crate::kernels::shingler::{Shingler, Unit};

/// How texts are sketched.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sketch {
    /// Limpid's own shingles and permutations.
    Own {
        /// The unit of which shingles consist.
        unit: Unit,
        /// Units per shingle.
        ngram: u32,
        /// Number of LSH bands.
        bands: u32,
        /// MinHash values per band.
        rows: u32,
        /// Seed of the permutations.
        seed: u64,
    },
    /// The normalisation, shingles, permutations and bands of another tool.
    Preset(Preset),
}

impl Sketch {
    /// Number of LSH bands.
    pub fn bands(&self) -> usize {
        match self {
            Self::Own { bands, .. } => *bands as usize,
            Self::Preset(preset) => preset.parameters().bands,
        }
    }

    /// The Arrow type of a sketch. `content` is a 128-bit hash, equal for texts with equal shingles in equal order. `cells`
    /// holds one hash per band. `shingles` holds the distinct shingles; it is NULL for a copy of a text sketched in another
    /// row.
    pub fn data_type(&self) -> DataType {
        DataType::Struct(fields(self.bands()))
    }
}

fn fields(bands: usize) -> Fields {
    Fields::from(vec![
        Field::new("content", DataType::FixedSizeBinary(16), false),
        Field::new("cells", DataType::FixedSizeList(item(), bands as i32), false),
        Field::new("shingles", DataType::LargeList(item()), true),
    ])
}

fn item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::UInt64, false))
}

/// Sketches batches of texts, reusing its buffers and hash functions.
pub struct Sketcher {
    bands: usize,
    method: Method,
    /// The shingles of one text, including repetitions.
    all: Vec<u64>,
    bytes: Vec<u8>,
    table: Table,
}

enum Method {
    Own { unit: Unit, shingler: Shingler, hasher: MinHasher, signature: Vec<u32> },
    Preset { preset: Preset, sketcher: PresetSketcher, signature: Vec<u64>, cells: Vec<u64> },
}

/// Builders of the columns of a batch of sketches.
#[derive(Default)]
struct Columns {
    content: Vec<u8>,
    cells: Vec<u64>,
    shingles: Vec<u64>,
    lengths: Vec<usize>,
    is_text: Vec<bool>,
    is_sketched: Vec<bool>,
}

impl Sketcher {
    /// Creates a sketcher with empty buffers.
    pub fn new(sketch: &Sketch) -> Self {
        let bands = sketch.bands();
        let method = match *sketch {
            Sketch::Own { unit, ngram, rows, seed, .. } => Method::Own {
                unit,
                shingler: Shingler::new(unit, ngram as usize),
                hasher: MinHasher::new(bands * rows as usize, seed),
                signature: vec![0; bands * rows as usize],
            },
            Sketch::Preset(preset) => {
                Method::Preset { preset, sketcher: PresetSketcher::new(preset), signature: vec![], cells: vec![] }
            }
        };
        Self { bands, method, all: vec![], bytes: vec![], table: Table::default() }
    }

    /// Sketches each text. Texts found in `seen` are copies; others are added to it.
    pub fn sketch(&mut self, texts: &ArrayRef, seen: &Seen) -> Result<ArrayRef> {
        let texts = Strings::try_new(texts, "text of minhash_dedup")?;
        let mut columns = Columns::default();
        for text in texts.iter() {
            let before = columns.shingles.len();
            let mut is_sketched = false;
            match text {
                None => columns.without_sketch(0, self.bands),
                Some(text) => {
                    let raw = xxh3_128(text.as_bytes());
                    if let Some(content) = seen.content(raw) {
                        columns.without_sketch(content, self.bands);
                    } else {
                        let content = self.add(text, raw, &mut columns);
                        seen.add(raw, content);
                        is_sketched = true;
                    }
                }
            }
            columns.is_text.push(text.is_some());
            columns.is_sketched.push(is_sketched);
            columns.lengths.push(columns.shingles.len() - before);
        }
        columns.finish(self.bands)
    }

    /// Adds the sketch of `text`, whose bytes hash to `raw`, and returns its content hash.
    fn add(&mut self, text: &str, raw: u128, columns: &mut Columns) -> u128 {
        self.all.clear();
        let content = match &mut self.method {
            Method::Own { unit, shingler, .. } => {
                shingler.hashes(text, &mut self.all);
                match unit {
                    Unit::Words(_) => hash(shingler.words(), &mut self.bytes),
                    Unit::Char => (!self.all.is_empty()).then_some(raw),
                }
            }
            Method::Preset { sketcher, signature, .. } => {
                if sketcher.sketch(text, signature, &mut self.all).is_none() {
                    self.all.clear();
                }
                hash(&self.all, &mut self.bytes)
            }
        };
        // A text without shingles equals only texts with the same bytes, whatever the hashes of other texts.
        let content = content.unwrap_or(!raw);
        columns.content.extend(content.to_le_bytes());

        let first = columns.shingles.len();
        self.table.clear(self.all.len());
        for &shingle in &self.all {
            // Zero marks an empty slot of the hash tables, so a shingle hash of zero becomes one.
            let shingle = shingle.max(1);
            if self.table.insert(shingle) {
                columns.shingles.push(shingle);
            }
        }
        let end = columns.cells.len();
        columns.cells.resize(end + self.bands, 0);
        let (distinct, cells_of_text) = (&columns.shingles[first..], &mut columns.cells[end..]);
        match &mut self.method {
            _ if distinct.is_empty() => {}
            Method::Own { hasher, signature, .. } => {
                hasher.signature(distinct, signature);
                lsh::band_hashes(signature, cells_of_text);
            }
            Method::Preset { preset, signature, cells, .. } => {
                presets::band_hashes(*preset, signature, cells);
                cells_of_text.copy_from_slice(cells);
            }
        }
        content
    }
}

impl Columns {
    fn without_sketch(&mut self, content: u128, bands: usize) {
        self.content.extend(content.to_le_bytes());
        self.cells.resize(self.cells.len() + bands, 0);
    }

    fn finish(self, bands: usize) -> Result<ArrayRef> {
        let values = |values: Vec<u64>| Arc::new(UInt64Array::new(ScalarBuffer::from(values), None));
        let content = FixedSizeBinaryArray::try_new(16, Buffer::from(self.content), None)?;
        let cells = FixedSizeListArray::try_new(item(), bands as i32, values(self.cells), None)?;
        let offsets = OffsetBuffer::<i64>::from_lengths(self.lengths);
        let is_sketched = NullBuffer::from(self.is_sketched);
        let shingles = LargeListArray::try_new(item(), offsets, values(self.shingles), Some(is_sketched))?;
        let columns: Vec<ArrayRef> = vec![Arc::new(content), Arc::new(cells), Arc::new(shingles)];
        StructArray::try_new(fields(bands), columns, Some(NullBuffer::from(self.is_text)))
            .map(|a| Arc::new(a) as ArrayRef)
            .map_err(|e| exec_datafusion_err!("minhash_dedup: {e}"))
    }
}

/// Hashes the values in order; `None` if there are none.
fn hash(values: &[u64], bytes: &mut Vec<u8>) -> Option<u128> {
    to_bytes(values, bytes);
    (!values.is_empty()).then(|| xxh3_128(bytes))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray, StringArray};

    use super::*;

    fn sketches(sketch: &Sketch, texts: Vec<Option<&str>>) -> ArrayRef {
        let texts: ArrayRef = Arc::new(StringArray::from(texts));
        Sketcher::new(sketch).sketch(&texts, &Seen::unlimited()).unwrap()
    }

    #[test]
    fn copies_carry_their_content_and_no_shingles() {
        let own = Sketch::Own { unit: Unit::WORD, ngram: 2, bands: 3, rows: 2, seed: 1 };
        let all = [own, Sketch::Preset(Preset::BigCode), Sketch::Preset(Preset::FineWeb)];
        for sketch in all {
            let texts =
                vec![Some("a b c d e f"), None, Some("a b c d e f"), Some("a b c d e g"), Some("?!"), Some("?")];
            let found = sketches(&sketch, texts);
            assert_eq!(found.data_type(), &sketch.data_type());
            let found = found.as_struct();
            assert_eq!(found.nulls().map(|n| n.iter().collect()), Some(vec![true, false, true, true, true, true]));
            let (content, shingles) = (found.column(0).as_fixed_size_binary(), found.column(2).as_list::<i64>());
            assert_eq!(content.value(0), content.value(2));
            assert_ne!(content.value(0), content.value(3));
            assert_ne!(content.value(4), content.value(5), "{sketch:?}: texts without shingles are told apart");
            assert!(shingles.is_valid(0) && shingles.is_null(2), "{sketch:?}");
            assert!(shingles.value_length(0) > 0 && shingles.value_length(2) == 0);
        }
    }
}
