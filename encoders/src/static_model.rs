//! The embedded static encoder: one vector per token, and their mean scaled to length 1.
//!
//! **Unknown texts have no vector.** The vocabulary has words in Latin script, but only single letters and a few endings of
//! other scripts, whose vectors carry no meaning: unrelated Russian texts would have nearly the same vector. A letter is
//! therefore known if it is part of a token that contains a letter from a to z. A text has no vector if fewer than half of
//! its letters are known, or if it has no letters.
//!
//! The table is distilled from all-MiniLM-L6-v2 by `models/distill.py`, which describes the method and the file format.

use crate::tokenize::wordpiece::{UNCASED, WordPiece};
use crate::{Error, Result};

/// The name of the model.
pub const NAME: &str = "static";

/// The table file: magic, dimension, number of tokens, bytes of the vocabulary; vocabulary; scales; rows.
static TABLE: &[u8] = include_bytes!("../assets/static.lse");

/// A table of token vectors.
#[derive(Debug)]
pub struct StaticModel {
    words: WordPiece,
    dimension: usize,
    scales: Vec<f32>,
    rows: &'static [u8],
    /// Number of known letters in each token.
    known: Vec<u8>,
}

impl StaticModel {
    /// The embedded model.
    pub fn embedded() -> Result<Self> {
        Self::read(TABLE)
            .map_err(|message| Error::File { path: "the embedded model".into(), message: message.to_owned() })
    }

    fn read(bytes: &'static [u8]) -> Result<Self, &'static str> {
        let number = |at: usize| {
            let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u32::from_le_bytes).ok_or("it ends early").map(|number| number as usize)
        };
        if bytes.get(..4) != Some(b"LSE1") {
            return Err("it is no table of vectors");
        }
        let (dimension, tokens, names) = (number(4)?, number(8)?, number(12)?);
        let rest = &bytes[16..];
        if dimension == 0 || rest.len() != names + tokens * (4 + dimension) {
            return Err("its size is not what it says");
        }
        let (names, rest) = rest.split_at(names);
        let (scales, rows) = rest.split_at(4 * tokens);
        let names = std::str::from_utf8(names).map_err(|_| "its vocabulary is no text")?;
        let words = WordPiece::new(names.split('\n').zip(0..), "[UNK]", UNCASED).map_err(|_| "it has no [UNK]")?;
        let scales = scales.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let known = names.split('\n').map(known_letters).collect();
        Ok(Self { words, dimension, scales, rows, known })
    }

    /// Values per vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The bytes of the table, whose hash identifies the model.
    pub fn bytes(&self) -> &'static [u8] {
        TABLE
    }

    /// Appends the vector of `text`. Returns `false` and appends zeros if fewer than half of its letters are known, or if it
    /// has no letters.
    pub fn encode(&self, text: &str, tokens: &mut Vec<u32>, vectors: &mut Vec<f32>) -> bool {
        tokens.clear();
        self.words.tokens(text, usize::MAX, tokens);
        let start = vectors.len();
        vectors.resize(start + self.dimension, 0.0);
        let known: usize =
            tokens.iter().filter_map(|&token| self.known.get(token as usize)).map(|&n| usize::from(n)).sum();
        if known == 0 || 2 * known < text.chars().filter(|c| c.is_alphabetic()).count() {
            return false;
        }
        let sum = &mut vectors[start..];
        for &token in tokens.iter() {
            let row = token as usize * self.dimension;
            let Some(row) = self.rows.get(row..row + self.dimension) else { continue };
            let scale = self.scales[token as usize];
            for (sum, value) in sum.iter_mut().zip(row) {
                *sum += scale * f32::from(value.cast_signed());
            }
        }
        crate::normalize::normalize(sum)
    }
}

/// Number of letters in a token of Latin words; 0 for other scripts and for names in brackets.
fn known_letters(name: &str) -> u8 {
    let is_latin = name.contains(|c: char| c.is_ascii_alphabetic()) && !(name.starts_with('[') && name.ends_with(']'));
    let letters = name.chars().filter(|c| c.is_alphabetic()).count();
    if is_latin { u8::try_from(letters).unwrap_or(u8::MAX) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &str, b: &str) -> f32 {
        let model = StaticModel::embedded().unwrap();
        let (mut tokens, mut vectors) = (vec![], vec![]);
        assert!(model.encode(a, &mut tokens, &mut vectors) && model.encode(b, &mut tokens, &mut vectors));
        let (a, b) = vectors.split_at(model.dimension());
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn what_means_the_same_is_near() {
        let near = cosine("A man is playing a guitar.", "Somebody plays an instrument with strings.");
        let far = cosine("A man is playing a guitar.", "The central bank raised interest rates again.");
        assert!(near > far + 0.1, "{near} {far}");
        assert!((cosine("the same words", "words same the") - 1.0).abs() < 1e-5);
    }

    #[test]
    fn a_text_without_tokens_has_no_vector() {
        let model = StaticModel::embedded().unwrap();
        let (mut tokens, mut vectors) = (vec![], vec![]);
        assert!(!model.encode(" \n", &mut tokens, &mut vectors));
        assert_eq!(vectors, vec![0.0; model.dimension()]);
    }

    #[test]
    fn a_text_in_a_script_it_does_not_know_has_no_vector() {
        let model = StaticModel::embedded().unwrap();
        let known = |text: &str| model.encode(text, &mut vec![], &mut vec![]);
        for text in [
            "今天天气很好，我们去公园散步。",
            "今日は天気がいいので公園へ行きます。",
            "आज मौसम अच्छा है",
            "วันนี้อากาศดีเราจะไปเดินเล่นที่สวน",
            "الطقس جميل اليوم",
            "Сегодня хорошая погода",
            "오늘은 날씨가 좋아서",
            "Ο καιρός είναι καλός σήμερα",
            "מזג האוויר נעים היום",
            "დღეს კარგი ამინდია",
            "12 + 7 = 19",
            "🙂🙂 !!! ...",
            "ов ович ии",
            "базу данных API",
        ] {
            assert!(!known(text), "{text}");
        }
        for text in [
            "The weather is nice today.",
            "a",
            "Größe straße łódź",
            "Hôm nay trời đẹp, chúng ta đi dạo công viên.",
            "Ho\u{302}m nay tro\u{31b}\u{300}i de\u{323}p",
            "GPT-4 is 10 times as large 今日は",
            "x = 12 + 7",
            "the word Сегодня means today",
        ] {
            assert!(known(text), "{text}");
        }
    }

    #[test]
    fn the_table_is_small() {
        assert!(TABLE.len() <= 8_000_000, "{}", TABLE.len());
    }

    #[test]
    fn a_broken_table_is_an_error() {
        for wrong in [&b""[..], b"LSE1", b"LSE1\0\0\0\0\0\0\0\0\0\0\0\0", b"LSE2aaaabbbbcccc", &TABLE[..1000]] {
            assert!(StaticModel::read(wrong).is_err());
        }
    }
}
