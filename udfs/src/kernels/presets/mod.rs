//! MinHash exactly as four published tools compute it.
//!
//! A preset fixes a tool's normalisation, shingles, base hash, permutations, bands and rows, and its rule for documents
//! without a shingle. [`PresetSketcher::signature`] equals the tool's own signature bit for bit; the goldens beside
//! this file were computed with the tools. What the tools do with a signature afterwards is not copied: limpid takes
//! candidates from the same bands and then verifies each by exact Jaccard over [`PresetSketcher::shingle_hashes`].
//!
//! One limit holds for all four. Lower-casing, decomposition and character classes follow the Unicode version of whoever
//! runs them (the goldens: Python 3.11, Unicode 14), so characters assigned later may differ, as they do between two
//! versions of Python.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

pub use self::parameters::{Parameters, ShortDocument, Unit};
use self::permute::{Drawn, Permutations};

mod bigcode;
mod charset;
mod fineweb;
mod parameters;
mod permute;
mod rpv2;
mod shingle;
mod slimpajama;
mod spacy_english;
#[cfg(test)]
mod tests;
mod text;

/// A published MinHash deduplicator whose signatures limpid reproduces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// FineWeb: datatrove 0.10 with the configuration of its `examples/fineweb.py`.
    FineWeb,
    /// The Stack / StarCoder: bigcode-dataset, `near_deduplication/minhash_deduplication_spark.py`.
    BigCode,
    /// SlimPajama: Cerebras modelzoo, `data_preparation/nlp/slimpajama/dedup/to_hash.py`.
    SlimPajama,
    /// RedPajama v2: togethercomputer/RedPajama-Data, `app/src/dedupe`.
    RpV2,
}

impl Preset {
    /// Every preset, in the order in which messages list them.
    pub const ALL: [Self; 4] = [Self::FineWeb, Self::BigCode, Self::SlimPajama, Self::RpV2];

    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::FineWeb => "fineweb",
            Self::BigCode => "bigcode",
            Self::SlimPajama => "slimpajama",
            Self::RpV2 => "rpv2",
        }
    }

    /// The tool's numbers.
    pub fn parameters(self) -> Parameters {
        match self {
            Self::FineWeb => fineweb::PARAMETERS,
            Self::BigCode => bigcode::PARAMETERS,
            Self::SlimPajama => slimpajama::PARAMETERS,
            Self::RpV2 => rpv2::PARAMETERS,
        }
    }

    fn permutations(self) -> Permutations {
        let Parameters { num_perm, seed, .. } = self.parameters();
        match self {
            Self::FineWeb => Permutations::new(seed, num_perm, Drawn::AllThenAll, u64::MAX),
            Self::BigCode | Self::SlimPajama | Self::RpV2 => {
                Permutations::new(seed, num_perm, Drawn::Interleaved, u64::from(u32::MAX))
            }
        }
    }

    fn normalize(self, text: &str, out: &mut String) {
        match self {
            Self::FineWeb => fineweb::normalize(text, out),
            Self::BigCode => bigcode::normalize(text, out),
            Self::SlimPajama => slimpajama::normalize(text, out),
            Self::RpV2 => rpv2::normalize(text, out),
        }
    }

    /// The tool's hash of one shingle, before any permutation.
    fn base_hash(self, shingle: &str) -> u64 {
        match self {
            Self::FineWeb => permute::sha1_64(shingle.as_bytes()),
            Self::BigCode | Self::SlimPajama | Self::RpV2 => u64::from(permute::sha1_32(shingle.as_bytes())),
        }
    }
}

/// Writes one 64-bit hash per band of a `signature` of `preset` to `out`. Two signatures that agree in a band agree in its
/// hash. Writes nothing if the signature is empty.
pub fn band_hashes(preset: Preset, signature: &[u64], out: &mut Vec<u64>) {
    let Parameters { bands, rows, .. } = preset.parameters();
    let mut bytes = Vec::with_capacity(rows * 8);
    out.clear();
    for (band, values) in signature.chunks_exact(rows).take(bands).enumerate() {
        bytes.clear();
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        out.push(xxh3_64_with_seed(&bytes, band as u64));
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The error of [`Preset::from_str`]: names the given and the existing presets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPreset(String);

impl fmt::Display for UnknownPreset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown preset '{}', must be one of", self.0)?;
        for (i, preset) in Preset::ALL.iter().enumerate() {
            write!(f, "{} '{preset}'", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownPreset {}

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(name: &str) -> Result<Self, UnknownPreset> {
        Self::ALL.into_iter().find(|preset| preset.name() == name).ok_or_else(|| UnknownPreset(name.to_string()))
    }
}

/// Sketches documents by one preset, reusing its buffers.
#[derive(Debug, Clone)]
pub struct PresetSketcher {
    preset: Preset,
    permutations: Permutations,
    normalized: String,
}

impl PresetSketcher {
    /// Creates a sketcher for `preset`. This draws the permutations, so keep it, and clone it for other threads.
    pub fn new(preset: Preset) -> Self {
        Self { preset, permutations: preset.permutations(), normalized: String::new() }
    }

    /// The preset.
    pub fn preset(&self) -> Preset {
        self.preset
    }

    /// Writes the signature of `text` to `out` and returns the number of shingles, including repetitions.
    ///
    /// Returns `None` if the text has no shingle. `out` then holds what the tool computes: nothing if it makes no signature
    /// ([`ShortDocument::Kept`]), or the signature of the empty set ([`ShortDocument::Collapsed`]). Values of 32-bit presets
    /// are widened.
    pub fn signature(&mut self, text: &str, out: &mut Vec<u64>) -> Option<usize> {
        self.fold(text, out, |_| ())
    }

    /// Writes the XXH3 64-bit hashes of the shingles to `out`, in text order, including repetitions.
    ///
    /// The Jaccard similarity of two documents under the preset is that of these hashes as sets. The hashed strings are the
    /// ones that [`Self::signature`] sketches.
    pub fn shingle_hashes(&mut self, text: &str, out: &mut Vec<u64>) {
        out.clear();
        for_each_shingle(self.preset, text, &mut self.normalized, |shingle| out.push(xxh3_64(shingle.as_bytes())));
    }

    /// Combines [`Self::signature`] and [`Self::shingle_hashes`] in one pass over `text`.
    pub fn sketch(&mut self, text: &str, signature: &mut Vec<u64>, shingles: &mut Vec<u64>) -> Option<usize> {
        shingles.clear();
        self.fold(text, signature, |shingle| shingles.push(xxh3_64(shingle.as_bytes())))
    }

    fn fold(&mut self, text: &str, out: &mut Vec<u64>, mut also: impl FnMut(&str)) -> Option<usize> {
        let (preset, permutations) = (self.preset, &self.permutations);
        out.clear();
        out.resize(permutations.len(), permutations.mask());
        let count = for_each_shingle(preset, text, &mut self.normalized, |shingle| {
            permutations.fold_min(preset.base_hash(shingle), out);
            also(shingle);
        });
        if count == 0 && preset.parameters().short_document == ShortDocument::Kept {
            out.clear();
        }
        (count > 0).then_some(count)
    }
}

/// Calls `f` with each shingle in text order and returns their number.
fn for_each_shingle(preset: Preset, text: &str, normalized: &mut String, mut f: impl FnMut(&str)) -> usize {
    let Parameters { ngram, unit, .. } = preset.parameters();
    normalized.clear();
    preset.normalize(text, normalized);
    match unit {
        Unit::Word => shingle::words(normalized, ngram).inspect(|shingle| f(shingle)).count(),
        Unit::Char => shingle::chars(normalized, ngram).inspect(|shingle| f(shingle)).count(),
    }
}
