//! A bounded sample of a text.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Maximum number of bytes of a text that are read.
pub const SAMPLE_BYTES: usize = 16 * 1024;
/// Number of pieces in a sample of a longer text.
const PIECES: usize = 8;

/// Returns `text` in NFC. If it exceeds 16 KiB, returns eight pieces of 2 KiB at equal distances, the first at its start and
/// the last at its end. The cost does not depend on the length of the text.
pub fn sample(text: &str) -> Cow<'_, str> {
    let sample = spread(text, SAMPLE_BYTES);
    if is_nfc_quick(sample.chars()) == IsNormalized::Yes { sample } else { Cow::Owned(sample.nfc().collect()) }
}

/// Returns `text`, or at most `bytes` of it: pieces at equal distances, each followed by a line feed.
pub fn spread(text: &str, bytes: usize) -> Cow<'_, str> {
    if text.len() <= bytes {
        return Cow::Borrowed(text);
    }
    let piece = bytes / PIECES;
    let mut sample = String::with_capacity(bytes + PIECES);
    for i in 0..PIECES {
        // As u128, the product cannot overflow.
        let start = ((text.len() - piece) as u128 * i as u128 / (PIECES - 1) as u128) as usize;
        let (start, end) = (text.ceil_char_boundary(start), text.floor_char_boundary(start + piece));
        sample.push_str(&text[start..end]);
        sample.push('\n');
    }
    Cow::Owned(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_are_whole() {
        for text in ["", "a", &"é".repeat(SAMPLE_BYTES / 2)] {
            assert!(matches!(sample(text), Cow::Borrowed(s) if s == text));
        }
        assert_eq!(sample("e\u{301}"), "é");
    }

    #[test]
    fn long_texts_are_read_at_their_start_end_and_between() {
        let text: String = (0..100_000).map(|i| format!("{i} ")).collect();
        let sample = sample(&text);
        assert!(sample.len() <= SAMPLE_BYTES + PIECES);
        assert!(sample.starts_with("0 1 2 ") && sample.ends_with("99999 \n"));
        assert!(sample.contains(" 50000 ") || sample.lines().nth(3).unwrap().contains(" 4"));
    }

    #[test]
    fn pieces_are_cut_between_characters() {
        for shift in 0..4 {
            let text = "x".repeat(shift) + &"𐍈é".repeat(20_000);
            assert!(sample(&text).len() <= SAMPLE_BYTES + PIECES);
        }
    }
}
