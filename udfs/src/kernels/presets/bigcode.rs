//! The preset `bigcode`: near-deduplication of The Stack and StarCoder's data.
//!
//! Source: bigcode-project/bigcode-dataset, `near_deduplication/minhash_deduplication_spark.py` (the local script
//! `minhash_deduplication.py` computes the same signatures). Case is kept. Each character other than `[A-Za-z_0-9]` ends
//! a token and tokens may be empty: a text without any ASCII letter or digit, Chinese for one, is a row of empty tokens,
//! and all such texts of five tokens or more share their only shingle.
//!
//! Documents below five tokens get the signature of the empty set, so the tool keeps one of them.

use super::parameters::{Parameters, ShortDocument, Unit};

/// Defaults of the script; bands and rows are what its `optimal_param(0.7, 256)` returns.
pub const PARAMETERS: Parameters = Parameters {
    num_perm: 256,
    bands: 25,
    rows: 10,
    ngram: 5,
    unit: Unit::Word,
    threshold: 0.7,
    seed: 42,
    short_document: ShortDocument::Collapsed,
};

/// Appends the tokens of `text`, joined by one space.
pub fn normalize(text: &str, out: &mut String) {
    out.reserve(text.len());
    out.extend(text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { ' ' }));
}
