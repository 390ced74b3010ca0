//! The preset `fineweb`: deduplication of FineWeb by datatrove 0.10.
//!
//! Source: huggingface/datatrove, `pipeline/dedup/minhash.py`, `utils/text.py` (`simplify_text` with the defaults of
//! `TextNormConfig`), `utils/word_tokenizers.py` and `examples/fineweb.py`: the example hashes with the first 64 bits of
//! SHA-1, while `MinhashConfig()` alone would use xxHash64. For English, datatrove has loaded spaCy's rule tokenizer since
//! 0.4 (December 2024) and NLTK's before; this preset follows 0.10, so a FineWeb dump made before that date had
//! other tokens at contractions, units and symbols. Other languages have other tokenizers there and are not reproduced: this
//! preset treats every text as English.
//!
//! Documents below five tokens have no signature and are always kept.

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

use super::charset::CharSet;
use super::parameters::{Parameters, ShortDocument, Unit};
use super::spacy_english;
use super::text::squeeze_into;

/// Values of `examples/fineweb.py`; the seed is `MinhashConfig`'s default.
pub const PARAMETERS: Parameters = Parameters {
    num_perm: 112,
    bands: 14,
    rows: 8,
    ngram: 5,
    unit: Unit::Word,
    threshold: 0.72,
    seed: 1,
    short_document: ShortDocument::Kept,
};

static DIGITS: LazyLock<CharSet> = LazyLock::new(|| CharSet::new(r"[\p{Nd}]"));
static MARKS: LazyLock<CharSet> = LazyLock::new(|| CharSet::new(r"[\p{Mn}]"));

/// Appends the tokens of `text`, joined by one space.
pub fn normalize(text: &str, out: &mut String) {
    let simple = simplify(text);
    out.reserve(simple.len());
    spacy_english::tokenize_into(&simple, out);
}

/// Lower-cases, replaces each number by `0` and each punctuation character by a space, collapses white space, decomposes
/// (NFD) and drops nonspacing marks. Because of this order, characters that decompose into punctuation are kept.
fn simplify(text: &str) -> String {
    let lower = text.to_lowercase();
    let mut simple = String::with_capacity(lower.len());
    squeeze_into(numbers_to_zero(&lower).map(|c| if is_punctuation(c) { ' ' } else { c }), &mut simple);
    if simple.is_ascii() {
        return simple;
    }
    simple.nfd().filter(|c| !MARKS.contains(*c)).collect()
}

/// Replaces each run of decimal digits, with one fraction after a separator if there is one, by `0`.
fn numbers_to_zero(text: &str) -> impl Iterator<Item = char> + '_ {
    let mut rest = text.chars();
    std::iter::from_fn(move || {
        let c = rest.next()?;
        if !DIGITS.contains(c) {
            return Some(c);
        }
        skip_digits(&mut rest);
        let mut ahead = rest.clone();
        if ahead.next().is_some_and(is_decimal_separator) && ahead.next().is_some_and(|c| DIGITS.contains(c)) {
            skip_digits(&mut ahead);
            rest = ahead;
        }
        Some('0')
    })
}

fn skip_digits(chars: &mut std::str::Chars<'_>) {
    let mut ahead = chars.clone();
    while ahead.next().is_some_and(|c| DIGITS.contains(c)) {
        *chars = ahead.clone();
    }
}

fn is_decimal_separator(c: char) -> bool {
    matches!(c, '.' | ',' | '\u{60c}' | '\u{66b}' | '\u{2396}'..='\u{2398}')
}

/// `PUNCTUATION` of `datatrove.utils.text`: control characters, all of ASCII's punctuation, and some beyond.
fn is_punctuation(c: char) -> bool {
    const BEYOND_ASCII: &str = "«»´–—’“”„…∶━►、。〈〉《》「」【】！％（），．：；？～";
    c.is_control() || if c.is_ascii() { c.is_ascii_punctuation() } else { BEYOND_ASCII.contains(c) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simplifies_in_order() {
        for (text, expected) in [
            ("|$17.56||1|\n|$15.37||2599|", "0 0 0 0"),
            ("1,234,567.5 ٣٫١٤ 1.2.3. 7.", "0 0 0 0 0 0"),
            ("Größe, É! \u{301} a\u{338}", "große e  a"),
            ("a\u{2260}b \u{37e}", "a=b ;"),
            ("...", ""),
        ] {
            assert_eq!(simplify(text), expected);
        }
    }
}
