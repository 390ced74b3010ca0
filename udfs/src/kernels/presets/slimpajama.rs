//! The preset `slimpajama`: deduplication of SlimPajama.
//!
//! Source: Cerebras/modelzoo, `data_preparation/nlp/slimpajama`: `dedup/to_hash.py` and the folder's README. The features
//! are runs of *characters*, not of words: `get_features` slides its window over the normalised string. The script's
//! default window is 6; the README gives 13 as the value behind the published data set, and so does this preset. Signatures
//! are datasketch's `MinHash(num_perm=128)` in the pinned version 1.5.9 (seed 1); datasketch 2 needs `scheme="legacy"`
//! for them.
//!
//! The pipeline repairs (ftfy, NFC) and drops documents (under 200 characters after normalisation) in steps before this
//! one. Neither is part of a signature nor of this preset; a text shorter than 13 characters gets the signature of
//! the empty set.

use super::parameters::{Parameters, ShortDocument, Unit};
use super::text::squeeze_into;

/// Bands and rows are what datasketch chooses for threshold 0.8 and 128 permutations.
pub const PARAMETERS: Parameters = Parameters {
    num_perm: 128,
    bands: 9,
    rows: 13,
    ngram: 13,
    unit: Unit::Char,
    threshold: 0.8,
    seed: 1,
    short_document: ShortDocument::Collapsed,
};

/// Appends `text` lower-cased, without ASCII punctuation, white space squeezed: in this order.
pub fn normalize(text: &str, out: &mut String) {
    out.reserve(text.len());
    squeeze_into(text.to_lowercase().chars().filter(|c| !c.is_ascii_punctuation()), out);
}
