//! Words of a text: the matches of Python's `\w+` in the lower-cased text.
//!
//! A word is a longest run of letters, numbers and underscores (`[\p{L}\p{N}_]`). The text is lower-cased first, with
//! the full Unicode mapping, so `İ` becomes `i` and a combining dot, and the dot ends the word.

use xxhash_rust::xxh3::xxh3_64;

use super::chars::{CharTable, LOWERS, WORD};

/// Splits texts into lower-cased words; keeps its buffers from text to text.
#[derive(Debug, Default)]
pub struct Tokenizer {
    /// The lower-cased text, with one space in place of every non-ASCII character that belongs to no word: a byte is
    /// part of a word exactly where it is a letter, digit or underscore of ASCII, or not ASCII.
    lower: String,
    spans: Vec<(usize, usize)>,
}

impl Tokenizer {
    /// A tokenizer with empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The lower-cased words in order.
    pub fn words<'a>(&'a mut self, text: &str) -> impl ExactSizeIterator<Item = &'a str> + Clone {
        self.lower(text);
        self.spans.clear();
        let spans = &mut self.spans;
        for_each_word(self.lower.as_bytes(), |start, end| spans.push((start, end)));
        self.spans.iter().map(|&(start, end)| &self.lower[start..end])
    }

    /// Appends the 64-bit XXH3 (seed 0) of each lower-cased word, in order.
    pub fn word_hashes(&mut self, text: &str, out: &mut Vec<u64>) {
        self.lower(text);
        let bytes = self.lower.as_bytes();
        for_each_word(bytes, |start, end| out.push(xxh3_64(&bytes[start..end])));
    }

    fn lower(&mut self, text: &str) {
        if !lower_words(text, &mut self.lower) {
            // A capital sigma lowers by its place in the word, which only the whole text shows.
            lower_words(&text.to_lowercase(), &mut self.lower);
        }
    }
}

/// Fills `out` with the lower-cased text, a space for each non-ASCII character outside words; stops with `false` at a
/// capital sigma.
fn lower_words(text: &str, out: &mut String) -> bool {
    let table = CharTable::get();
    out.clear();
    out.reserve(text.len());
    let mut rest = text;
    loop {
        let (ascii, others) = rest.split_at(ascii_prefix(rest.as_bytes()));
        let start = out.len();
        out.push_str(ascii);
        out[start..].make_ascii_lowercase();
        rest = "";
        for (at, c) in others.char_indices() {
            if c.is_ascii() {
                rest = &others[at..];
                break;
            }
            match table.flags(c) & (WORD | LOWERS) {
                0 => out.push(' '),
                WORD => out.push(c),
                _ if c == 'Σ' => return false,
                _ => c.to_lowercase().for_each(|c| {
                    let word = c.is_ascii() || table.is(c, WORD);
                    out.push(if word { c } else { ' ' });
                }),
            }
        }
        if rest.is_empty() {
            return true;
        }
    }
}

/// Length of the longest prefix of ASCII bytes.
fn ascii_prefix(bytes: &[u8]) -> usize {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    for eight in bytes.as_chunks().0 {
        let high = u64::from_le_bytes(*eight) & HIGH;
        if high != 0 {
            return at + high.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + bytes[at..].iter().take_while(|byte| byte.is_ascii()).count()
}

/// Calls `word(start, end)` for every run of word bytes in a text of [`lower_words`].
fn for_each_word(bytes: &[u8], mut word: impl FnMut(usize, usize)) {
    let mut base = 0;
    let mut start = 0;
    let mut inside = false;
    let mut block = |base: usize, mask: u64| {
        // A set bit wherever a byte differs in kind from the byte before it.
        let mut edges = mask ^ (mask << 1 | u64::from(inside));
        while edges != 0 {
            let at = base + edges.trailing_zeros() as usize;
            edges &= edges - 1;
            if inside {
                word(start, at);
            } else {
                start = at;
            }
            inside = !inside;
        }
    };
    let (blocks, tail) = bytes.as_chunks::<64>();
    for bytes in blocks {
        block(base, word_mask(bytes));
        base += 64;
    }
    // The padding ends a word that reaches the end of the text.
    let mut last = [0; 64];
    last[..tail.len()].copy_from_slice(tail);
    block(base, word_mask(&last));
}

/// One bit a byte, set for the bytes of words.
#[inline]
fn word_mask(bytes: &[u8; 64]) -> u64 {
    let mut flags = [0u8; 64];
    for (flag, &byte) in flags.iter_mut().zip(bytes) {
        let letter = byte.wrapping_sub(b'a') < 26;
        let digit = byte.wrapping_sub(b'0') < 10;
        *flag = u8::from(letter | digit | (byte == b'_') | (byte >= 0x80));
    }
    let mut mask = 0;
    for (at, eight) in flags.as_chunks().0.iter().enumerate() {
        // The product gathers the low bits of eight bytes in its top byte, without carries.
        let bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= bits << (8 * at);
    }
    mask
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    fn twin(text: &str) -> Vec<String> {
        let words = Regex::new(r"[\p{L}\p{N}_]+").unwrap();
        words.find_iter(&text.to_lowercase()).map(|word| word.as_str().to_owned()).collect()
    }

    fn assert_twin(tokenizer: &mut Tokenizer, text: &str) {
        let expected = twin(text);
        assert_eq!(tokenizer.words(text).collect::<Vec<_>>(), expected, "words of {text:?}");
        let mut hashes = vec![];
        tokenizer.word_hashes(text, &mut hashes);
        let expected: Vec<u64> = expected.iter().map(|word| xxh3_64(word.as_bytes())).collect();
        assert_eq!(hashes, expected, "hashes of {text:?}");
    }

    #[test]
    fn words_follow_unicode() {
        let mut tokenizer = Tokenizer::new();
        for (text, words) in [
            ("", vec![]),
            (" \t\n.,;—", vec![]),
            ("Don't stop_me 2nd", vec!["don", "t", "stop_me", "2nd"]),
            ("İstanbul", vec!["i", "stanbul"]),
            ("ΟΔΟΣ ΣΑΣ", vec!["οδος", "σας"]),
            ("Straße ÉTÉ e\u{301}t", vec!["straße", "été", "e", "t"]),
            ("½ ² Ⅷ ٣", vec!["½", "²", "ⅷ", "٣"]),
            ("漢字 かな", vec!["漢字", "かな"]),
            ("Ⓐ\u{200d}K", vec!["k"]),
        ] {
            assert_eq!(tokenizer.words(text).collect::<Vec<_>>(), words, "{text:?}");
            assert_twin(&mut tokenizer, text);
        }
    }

    #[test]
    fn every_character_follows_the_twin() {
        let mut tokenizer = Tokenizer::new();
        for c in '\0'..=char::MAX {
            let text = format!("a{c}B");
            let expected: Vec<_> = {
                let lower = text.to_lowercase();
                let table = CharTable::get();
                lower.split(|c| !table.is(c, WORD)).filter(|word| !word.is_empty()).map(str::to_owned).collect()
            };
            assert_eq!(tokenizer.words(&text).collect::<Vec<_>>(), expected, "{c:?}");
        }
    }

    #[test]
    fn words_may_meet_block_ends() {
        let mut tokenizer = Tokenizer::new();
        for length in 0..300 {
            assert_twin(&mut tokenizer, &"x".repeat(length));
            assert_twin(&mut tokenizer, &format!("{} {}", "a".repeat(length), "É".repeat(64)));
            assert_twin(&mut tokenizer, &format!("{}é", " ".repeat(length)));
        }
    }

    #[test]
    fn twenty_megabytes_are_nothing_special() {
        let text = "One fish, zwölf Fische. ".repeat(20_000_000 / 25);
        let mut hashes = vec![];
        Tokenizer::new().word_hashes(&text, &mut hashes);
        assert_eq!(hashes.len(), 4 * (20_000_000 / 25));
        assert_eq!(hashes[..4], hashes[hashes.len() - 4..]);
    }

    proptest! {
        #[test]
        fn any_text_follows_the_twin(texts in prop::collection::vec("\\PC*|[a-zA-Z0-9_ ,.'éÉΣσςİ\u{301}漢—]{0,200}", 1..4)) {
            let mut tokenizer = Tokenizer::new();
            for text in texts {
                assert_twin(&mut tokenizer, &text);
            }
        }
    }
}
