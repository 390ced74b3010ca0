//! Words as Python's `re` finds them: the matches of `\w+` in the lower-cased text.
//!
//! A word is a longest run of letters, numbers and underscores (`[\p{L}\p{N}_]`). The text is lower-cased first, with
//! the full Unicode mapping, so `İ` becomes `i` and a combining dot, and the dot ends the word.

use super::runs::ascii_prefix;
use crate::kernels::chars::{CharTable, LOWERS, WORD};

/// Writes the lower-cased text to `out`, with a space for each non-ASCII character outside words.
pub(super) fn lower_words(text: &str, out: &mut String) {
    if !lower(text, out) {
        // The lower case of a capital sigma depends on its position in the word, which requires the whole text.
        lower(&text.to_lowercase(), out);
    }
}

/// Like [`lower_words`], but stops with `false` at a capital sigma.
fn lower(text: &str, out: &mut String) -> bool {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;
    use crate::kernels::words::{Rule, Tokenizer};

    fn twin(text: &str) -> Vec<String> {
        let words = Regex::new(r"[\p{L}\p{N}_]+").unwrap();
        words.find_iter(&text.to_lowercase()).map(|word| word.as_str().to_owned()).collect()
    }

    fn words(tokenizer: &mut Tokenizer, text: &str) -> Vec<String> {
        let mut words = vec![];
        tokenizer.for_each(text, |word| words.push(word.to_owned()));
        words
    }

    fn assert_twin(tokenizer: &mut Tokenizer, text: &str) {
        let expected = twin(text);
        assert_eq!(words(tokenizer, text), expected, "words of {text:?}");
        let mut hashes = vec![];
        tokenizer.hashes(text, &mut hashes);
        let expected: Vec<u64> = expected.iter().map(|word| xxh3_64(word.as_bytes())).collect();
        assert_eq!(hashes, expected, "hashes of {text:?}");
    }

    #[test]
    fn words_follow_unicode() {
        let mut tokenizer = Tokenizer::new(Rule::PythonWord);
        for (text, expected) in [
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
            assert_eq!(words(&mut tokenizer, text), expected, "{text:?}");
            assert_twin(&mut tokenizer, text);
        }
    }

    #[test]
    fn every_character_follows_the_twin() {
        let mut tokenizer = Tokenizer::new(Rule::PythonWord);
        for c in '\0'..=char::MAX {
            let text = format!("a{c}B");
            let expected: Vec<_> = {
                let lower = text.to_lowercase();
                let table = CharTable::get();
                lower.split(|c| !table.is(c, WORD)).filter(|word| !word.is_empty()).map(str::to_owned).collect()
            };
            assert_eq!(words(&mut tokenizer, &text), expected, "{c:?}");
        }
    }

    #[test]
    fn words_may_meet_block_ends() {
        let mut tokenizer = Tokenizer::new(Rule::PythonWord);
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
        Tokenizer::new(Rule::PythonWord).hashes(&text, &mut hashes);
        assert_eq!(hashes.len(), 4 * (20_000_000 / 25));
        assert_eq!(hashes[..4], hashes[hashes.len() - 4..]);
    }

    proptest! {
        #[test]
        fn any_text_follows_the_twin(texts in prop::collection::vec("\\PC*|[a-zA-Z0-9_ ,.'éÉΣσςİ\u{301}漢—]{0,200}", 1..4)) {
            let mut tokenizer = Tokenizer::new(Rule::PythonWord);
            for text in texts {
                assert_twin(&mut tokenizer, &text);
            }
        }
    }
}
