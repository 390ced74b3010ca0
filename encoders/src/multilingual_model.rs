//! The embedded multilingual encoder: Google's Universal Sentence Encoder, multilingual, version 3 (Apache-2.0; Yang et al.,
//! "Multilingual Universal Sentence Encoder for Semantic Retrieval", ACL 2020), packed by `models/multilingual.py`.
//!
//! It looks up one vector per token, applies convolutions over 2, 3 and 5 tokens, divides their sum over the text by the
//! square root of its length, and applies dense layers. It was trained on 15 languages. A text has no vector if fewer than
//! half of its letters belong to the scripts of these languages and to the vocabulary.

mod layers;

use crate::tokenize::unigram::Unigram;
use crate::{Error, Result};
use layers::{Layers, Reader};

/// The name of the model.
pub const NAME: &str = "multilingual";
/// Maximum number of tokens read from a text, including the surrounding special tokens.
pub const MAX_LENGTH: usize = 256;
/// Values per vector.
pub const DIMENSION: usize = 512;

/// The packed file: magic and the lengths of five frames, which hold pieces, scores, table, values that exceed four bits, and
/// layers.
static FILE: &[u8] = include_bytes!("../assets/multilingual.lmu");
/// Values of the table are multiples of this step.
const STEP: f32 = 0.4;
/// Special tokens: for a character in no piece, before a text, and after a text.
const UNKNOWN: u32 = 0;
const BEFORE: u32 = 1;
const AFTER: u32 = 2;
/// Number of tokens that run together, unless a single text has more: enough to read the layers rarely, few enough for
/// caches.
const TOGETHER: usize = 384;
/// Number of pieces that never match text.
const SPECIAL: usize = 6;

/// The unpacked encoder: 65 MB of table and 14 MB of layers.
#[derive(Debug)]
pub struct MultilingualModel {
    words: Unigram,
    /// For each token the number of letters in a script of the training languages, and the number of all letters.
    letters: Vec<(u8, u8)>,
    table: Vec<i8>,
    layers: Layers,
}

impl MultilingualModel {
    /// The embedded model, unpacked once per process.
    pub fn embedded() -> Result<Self> {
        Self::read(FILE)
            .map_err(|message| Error::File { path: "the embedded model".into(), message: message.to_owned() })
    }

    fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        const EARLY: &str = "it ends early";
        let rest = bytes.strip_prefix(b"LMU1").ok_or("it is no packed encoder")?;
        let (lengths, mut rest) = rest.split_at_checked(20).ok_or(EARLY)?;
        let mut frames = vec![];
        for length in lengths.as_chunks().0 {
            let (frame, others) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or(EARLY)?;
            frames.push(zstd::decode_all(frame).map_err(|_| "a frame is damaged")?);
            rest = others;
        }
        let [pieces, scores, halves, beyond, layers] = &frames[..] else { return Err(EARLY) };
        let pieces = std::str::from_utf8(pieces).map_err(|_| "its vocabulary is no text")?;
        let scores: Vec<f32> =
            scores.as_chunks().0.iter().map(|bytes| -f32::from(u16::from_le_bytes(*bytes)) / 256.0).collect();
        if halves.len() * 2 != scores.len() * DIMENSION || pieces.split('\n').count() != scores.len() {
            return Err("its size is not what it says");
        }
        let mut table = Vec::with_capacity(2 * halves.len());
        let mut beyond = beyond.iter();
        for both in halves {
            for half in [both >> 4, both & 15] {
                let value = if half == 0 { beyond.next().ok_or(EARLY)?.cast_signed() } else { half.cast_signed() - 8 };
                table.push(value);
            }
        }
        let layers = Layers::read(Reader(layers)).ok_or("its layers are not of the size they should be")?;
        let count = |piece: &str, is: fn(char) -> bool| {
            u8::try_from(piece.chars().filter(|c| is(*c)).count()).unwrap_or(u8::MAX)
        };
        let of_piece = |(number, piece): (usize, &str)| match number {
            0..SPECIAL => (0, 0),
            _ => (count(piece, is_known), count(piece, char::is_alphabetic)),
        };
        let letters = pieces.split('\n').enumerate().map(of_piece).collect();
        let words = Unigram::new(pieces.split('\n'), scores, SPECIAL, UNKNOWN);
        Ok(Self { words, letters, table, layers })
    }

    /// The bytes whose hash identifies the model.
    pub fn bytes(&self) -> &'static [u8] {
        FILE
    }

    /// Appends one vector per text, and whether it is valid: a text has none if fewer than half of its letters are known, or
    /// if it has no letters. Returns the number of tokens that ran.
    pub fn encode(&self, texts: &[&str], values: &mut Vec<f32>, present: &mut Vec<bool>) -> usize {
        let start = values.len();
        values.resize(start + texts.len() * DIMENSION, 0.0);
        let (mut sum, mut places, mut lengths, mut vectors) = (0, vec![], vec![], vec![]);
        let mut tokens = vec![];
        for (number, text) in texts.iter().enumerate() {
            tokens.clear();
            tokens.push(BEFORE);
            let unknown = self.words.tokens(text, MAX_LENGTH - 2, &mut tokens);
            tokens.push(AFTER);
            let is_present = self.knows(&tokens, unknown);
            present.push(is_present);
            if is_present {
                places.push(number);
                lengths.push(tokens.len());
                sum += tokens.len();
                for &token in &tokens {
                    let row = token as usize * DIMENSION;
                    vectors.extend(self.table[row..row + DIMENSION].iter().map(|&value| STEP * f32::from(value)));
                }
            }
            if lengths.iter().sum::<usize>() >= TOGETHER || number + 1 == texts.len() {
                let found = self.layers.run(&lengths, &vectors);
                for (place, vector) in places.drain(..).zip(found.chunks_exact(DIMENSION)) {
                    values[start + place * DIMENSION..][..DIMENSION].copy_from_slice(vector);
                }
                lengths.clear();
                vectors.clear();
            }
        }
        sum
    }

    /// Whether at least half of the letters are known and there is at least one. `unknown` letters are in no token.
    fn knows(&self, tokens: &[u32], unknown: usize) -> bool {
        let letters = tokens.iter().filter_map(|&token| self.letters.get(token as usize));
        let add = |(known, all): (usize, usize), of: &(u8, u8)| (known + usize::from(of.0), all + usize::from(of.1));
        let (known, all) = letters.fold((0, unknown), add);
        known > 0 && 2 * known >= all
    }
}

/// Whether `c` is a letter of a script of the training languages: Latin, Cyrillic, Arabic, Thai, Hangul, kana or Han.
fn is_known(c: char) -> bool {
    c.is_alphabetic()
        && matches!(u32::from(c),
            0x41..=0x24F | 0x1E00..=0x1EFF | 0x400..=0x52F | 0x600..=0x6FF | 0x750..=0x77F | 0xE00..=0xE7F
            | 0x1100..=0x11FF | 0xAC00..=0xD7AF | 0x3005..=0x30FF | 0x31F0..=0x31FF | 0x3400..=0x4DBF
            | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(texts: &[&str]) -> Vec<Option<Vec<f32>>> {
        static MODEL: std::sync::OnceLock<MultilingualModel> = std::sync::OnceLock::new();
        let model = MODEL.get_or_init(|| MultilingualModel::embedded().unwrap());
        let (mut values, mut present) = (vec![], vec![]);
        model.encode(texts, &mut values, &mut present);
        let vectors = values.chunks(DIMENSION).zip(present);
        vectors.map(|(vector, present)| present.then(|| vector.to_vec())).collect()
    }

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    /// The output of `models/multilingual.py --check`, computed in Python from the same weights.
    #[test]
    fn vectors_are_those_of_the_reference() {
        for (text, expected) in [
            ("The weather is nice today.", [-0.0671, 0.00632, 0.06466, -0.04506]),
            ("Сегодня хорошая погода.", [-0.06582, -0.02806, 0.04981, -0.02961]),
            ("今天天气很好", [-0.01262, -0.04708, 0.01931, -0.07814]),
            ("A", [0.09649, 0.02885, 0.05021, -0.01934]),
        ] {
            let found = vectors(&[text]).remove(0).unwrap();
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3), "{text}: {:?}", &found[..4]);
            assert!((cosine(&found, &found) - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn translations_are_near_and_other_texts_are_not() {
        let about = [
            ["The weather is nice today.", "A database should be backed up regularly."],
            ["今天天气很好。", "数据库需要定期备份。"],
            ["今日は天気がいいです。", "データベースは定期的にバックアップしてください。"],
            ["오늘은 날씨가 좋다.", "데이터베이스는 정기적으로 백업해야 합니다."],
            ["Сегодня хорошая погода.", "Базу данных нужно регулярно копировать."],
            ["الطقس جميل اليوم", "يجب نسخ قاعدة البيانات احتياطيا بانتظام"],
            ["วันนี้อากาศดี", "ฐานข้อมูลต้องสำรองเป็นประจำ"],
            ["Das Wetter ist heute schön.", "Eine Datenbank sollte regelmäßig gesichert werden."],
            ["Hace buen tiempo hoy.", "Una base de datos debe respaldarse regularmente."],
            ["Il fait beau aujourd'hui.", "Une base de données doit être sauvegardée régulièrement."],
        ];
        let vectors = about.map(|pair| vectors(&pair).into_iter().map(Option::unwrap).collect::<Vec<_>>());
        for (language, own) in about.iter().zip(&vectors) {
            let apart = cosine(&own[0], &own[1]);
            assert!(apart < 0.5, "{language:?} {apart}");
            for (same, other) in [(0, 1), (1, 0)] {
                let (near, far) = (cosine(&own[same], &vectors[0][same]), cosine(&own[same], &vectors[0][other]));
                assert!(near > far + 0.2, "{language:?} {near} {far}");
            }
        }
    }

    #[test]
    fn a_text_it_does_not_know_has_no_vector() {
        let unknown =
            ["", " \n", "12 + 7", "🙂", "Ο καιρός είναι καλός", "आज मौसम अच्छा है", "מזג האוויר נעים", "<s>\u{e000}"];
        for (text, vector) in unknown.iter().zip(vectors(&unknown)) {
            assert_eq!(vector.is_some(), text.starts_with("<s>"), "{text}");
        }
        assert!(vectors(&["a mixed мир 世界 καλός"])[0].is_some());
    }

    #[test]
    fn a_vector_does_not_depend_on_what_runs_beside_it() {
        let texts: Vec<String> = (0..40).map(|number| "one two three ".repeat(number % 13 + 1)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let together = vectors(&texts);
        for (text, vector) in texts.iter().zip(together) {
            assert_eq!(vectors(&[text])[0], vector);
        }
        // Text beyond the last token that is read has no effect.
        let long = |end: &str| vectors(&[&format!("{}{end}", "word ".repeat(1000))]).remove(0);
        assert_eq!(long("a"), long("b"));
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        assert!(FILE.len() <= 20_000_000, "{}", FILE.len());
        for wrong in [&b""[..], b"LMU1", b"LMU1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", b"LMU2", &FILE[..1000]] {
            assert!(MultilingualModel::read(wrong).is_err());
        }
        let mut flipped = FILE.to_vec();
        flipped[24] ^= 255;
        assert!(MultilingualModel::read(&flipped).is_err());
    }
}
