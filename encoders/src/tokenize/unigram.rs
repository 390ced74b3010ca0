//! Unigram tokenization as in SentencePiece: Kudo, "Subword Regularization" (ACL 2018), section 3.2. Of all ways to cut a
//! text into pieces, the likeliest is taken; its score is the sum of the scores of its pieces.

use hashbrown::HashMap;
use unicode_normalization::UnicodeNormalization;

/// Represents a space, and is put before the first word.
const SPACE: char = '\u{2581}';
/// Penalty of a character that starts no piece, relative to the rarest piece.
const UNKNOWN_PENALTY: f32 = 10.0;

/// A vocabulary of pieces with their log probabilities.
#[derive(Debug)]
pub struct Unigram {
    pieces: HashMap<Box<str>, u32>,
    scores: Vec<f32>,
    /// Length of the longest piece in bytes.
    longest: usize,
    /// The token for characters in no piece.
    unknown: u32,
    unknown_score: f32,
}

impl Unigram {
    /// Creates a vocabulary from pieces in the order of their numbers. The first `special` ones never match text; `unknown`
    /// is one of them.
    pub fn new<'a>(pieces: impl Iterator<Item = &'a str>, scores: Vec<f32>, special: usize, unknown: u32) -> Self {
        let numbered = pieces.zip(0..).skip(special).filter(|(piece, _)| !piece.is_empty());
        let pieces: HashMap<Box<str>, u32> = numbered.map(|(piece, number)| (Box::from(piece), number)).collect();
        let longest = pieces.keys().map(|piece| piece.len()).max().unwrap_or(1);
        let unknown_score = scores.iter().copied().fold(0.0, f32::min) - UNKNOWN_PENALTY;
        Self { pieces, scores, longest, unknown, unknown_score }
    }

    /// Appends the first `most` tokens of `text`. Returns how many of their letters are in no piece.
    pub fn tokens(&self, text: &str, most: usize, tokens: &mut Vec<u32>) -> usize {
        // A piece has at least one character, and text far ahead does not change the first tokens.
        let text = normalized(text, most.saturating_mul(self.longest));
        let bytes = text.len();
        // The best segmentation up to each position: its score, where its last piece begins, and which piece that is.
        let mut best = vec![(f32::NEG_INFINITY, 0_u32, self.unknown); bytes + 1];
        best[0].0 = 0.0;
        for (start, c) in text.char_indices() {
            let (base, single) = (best[start].0, start + c.len_utf8());
            let mut offer = |end: usize, score: f32, piece: u32| {
                if base + score > best[end].0 {
                    best[end] = (base + score, start as u32, piece);
                }
            };
            let mut has_single = false;
            for end in single..=bytes.min(start + self.longest) {
                if text.is_char_boundary(end)
                    && let Some(&piece) = self.pieces.get(&text[start..end])
                {
                    offer(end, self.scores.get(piece as usize).copied().unwrap_or(0.0), piece);
                    has_single |= end == single;
                }
            }
            if !has_single {
                offer(single, self.unknown_score, self.unknown);
            }
        }
        let (mut pieces, mut end) = (vec![], bytes);
        while end > 0 {
            let (_, start, piece) = best[end];
            pieces.push((start as usize, piece));
            end = start as usize;
        }
        pieces.reverse();
        pieces.truncate(most);
        let is_letter = |start: usize| text[start..].chars().next().is_some_and(char::is_alphabetic);
        let unknown = pieces.iter().filter(|(start, piece)| *piece == self.unknown && is_letter(*start)).count();
        tokens.extend(pieces.into_iter().map(|(_, piece)| piece));
        unknown
    }
}

/// The text in NFKC without control characters. Each run of white space becomes one mark, and one mark is put before the
/// first word. Stops after about `most` bytes.
fn normalized(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most) + SPACE.len_utf8());
    let mut space = true;
    for c in text.nfkc() {
        if c.is_whitespace() || matches!(c, SPACE | '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{fffd}') {
            space = true;
        } else if !c.is_control() {
            if std::mem::take(&mut space) {
                out.push(SPACE);
            }
            out.push(c);
        }
        if out.len() >= most {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str, most: usize) -> Vec<u32> {
        let pieces = ["<unk>", "\u{2581}", "\u{2581}un", "a", "ble", "able", "b", "l", "e", "u", "n", "\u{2581}a", "é"];
        let scores = vec![0.0, -2.0, -3.0, -3.0, -3.0, -5.0, -4.0, -4.0, -4.0, -4.0, -4.0, -3.5, -4.0];
        let words = Unigram::new(pieces.into_iter(), scores, 1, 0);
        let mut tokens = vec![7];
        words.tokens(text, most, &mut tokens);
        tokens.split_off(1)
    }

    #[test]
    fn the_likeliest_pieces_are_chosen() {
        assert_eq!(tokens("unable", 9), [2, 5]);
        assert_eq!(tokens("a  able\n", 9), [11, 11, 4]);
        assert_eq!(tokens("une\u{301}", 9), [2, 12]);
        assert_eq!(tokens("ａ", 9), [11]);
        assert_eq!(tokens("xa", 9), [1, 0, 3]);
        assert_eq!(tokens("un\u{0}able", 9), [2, 5]);
        assert!(tokens("", 9).is_empty() && tokens(" \u{200b}\n", 9).is_empty());
    }

    #[test]
    fn no_more_tokens_than_asked_for() {
        assert_eq!(tokens("unable unable", 3), [2, 5, 2]);
        assert_eq!(tokens(&"a ".repeat(10_000), 2), [11, 11]);
        assert!(tokens("a", 0).is_empty());
    }
}
