//! The preset `rpv2`: RedPajama-Data v2.
//!
//! Source: togethercomputer/RedPajama-Data, `app/src/dedupe`, `app/src/utilities/text/normalization.py`,
//! `app/src/core/document.py` (words) and `configs/rp_v2.0.conf`. The published data carries banded signatures for 0.7, 0.8,
//! 0.9 and 1.0 over the same 128 values; this preset takes the bands of 0.7.
//!
//! Documents below 13 words have no signature and are kept.

use unicode_normalization::UnicodeNormalization;

use super::parameters::{Parameters, ShortDocument, Unit};
use super::text::squeeze_into;

/// Values of `rp_v2.0.conf`, the pipeline's default seed, and its `optimal_param(0.7, 128)`.
pub const PARAMETERS: Parameters = Parameters {
    num_perm: 128,
    bands: 14,
    rows: 9,
    ngram: 13,
    unit: Unit::Word,
    threshold: 0.7,
    seed: 42,
    short_document: ShortDocument::Kept,
};

/// Appends the words of `text` without ASCII punctuation, lower-cased, decomposed (NFD): in this order, since the final sigma
/// depends on what follows it.
pub fn normalize(text: &str, out: &mut String) {
    out.reserve(text.len());
    let bare: String = text.chars().filter(|c| !c.is_ascii_punctuation()).collect();
    let lower = bare.to_lowercase();
    if lower.is_ascii() {
        squeeze_into(lower.chars(), out);
    } else {
        squeeze_into(lower.nfd(), out);
    }
}
