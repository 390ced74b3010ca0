//! Words and tokens of a text.
//!
//! The same for every script, after UAX 29 and chapter 3.13 of the Unicode Standard:
//!
//! * A **word** is a run of letters, marks, numbers and underscores. Words are compared in NFC after full case folding, so
//!   canonically equivalent texts, and texts that differ in case alone, have the same words. Of scripts that put no spaces
//!   between words (Han, kana, Thai, Lao, Khmer, Myanmar and their like) every letter with its marks is a word.
//! * A **token** is such a word in NFC with its case as it is, or any other visible symbol: a grapheme cluster.
//! * Marks, joiners and variation selectors belong to what they follow. Marks that follow white space or nothing begin a word.
//! * Soft hyphens, marks of direction and byte order marks are not there at all.
//!
//! What most texts consist of is found byte by byte; only where neighbours of a character matter, a piece between two ASCII
//! spaces takes the slower way of `pieces`.

mod pieces;
mod python;
mod runs;
mod table;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use xxhash_rust::xxh3::xxh3_64;

use self::pieces::Pieces;
use self::python::lower_words;
use self::runs::{ascii_prefix, for_each_token, for_each_word};
use self::table::{Class, WordTable};

/// What counts as one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Words of every script, compared without case.
    #[default]
    Word,
    /// Words with their case, and every other visible symbol.
    Token,
    /// The matches of Python's `\w+` in the lower-cased text: marks end a word.
    PythonWord,
}

/// Marks the end of a word if the text has no ASCII character that ends it.
const END: char = '\u{1}';

/// Splits one text after another into words, reusing its buffers.
#[derive(Debug, Default)]
pub struct Tokenizer {
    rule: Rule,
    /// The text in the form that `runs` expects.
    plain: String,
    pieces: Pieces,
}

impl Tokenizer {
    /// Creates a tokenizer with empty buffers.
    pub fn new(rule: Rule) -> Self {
        Self { rule, ..Self::default() }
    }

    /// Calls `found` with every word of the text, in order and normalised for comparison.
    pub fn for_each(&mut self, text: &str, mut found: impl FnMut(&str)) {
        self.for_each_span(text, |text, start, end| found(&text[start..end]));
    }

    /// Appends the 64-bit XXH3 (seed 0) of each word, in order.
    pub fn hashes(&mut self, text: &str, out: &mut Vec<u64>) {
        self.for_each_span(text, |text, start, end| out.push(xxh3_64(&text.as_bytes()[start..end])));
    }

    /// Calls `found` with a text and the range of a word in it, for every word in order.
    fn for_each_span(&mut self, text: &str, mut found: impl FnMut(&str, usize, usize)) {
        match self.rule {
            Rule::Word => self.split::<false>(text, found),
            Rule::Token => self.split::<true>(text, found),
            Rule::PythonWord => {
                lower_words(text, &mut self.plain);
                for_each_word(self.plain.as_bytes(), |start, end| found(&self.plain, start, end));
            }
        }
    }

    fn split<const SYMBOLS: bool>(&mut self, text: &str, mut found: impl FnMut(&str, usize, usize)) {
        let mut rest = text;
        while let Some(at) = self.plain::<SYMBOLS>(rest) {
            // The piece goes from the last ASCII space before the character at `at` to the next one.
            let is_space = |byte: &u8| byte.is_ascii_whitespace();
            let start = rest.as_bytes()[..at].iter().rposition(is_space).map_or(0, |space| space + 1);
            let length = rest.as_bytes()[at..].iter().position(is_space).map_or(rest.len() - at, |space| space);
            let plain = self.plain.as_bytes().iter().rposition(is_space).map_or(0, |space| space + 1);
            self.plain.truncate(plain);
            runs::<SYMBOLS>(&self.plain, &mut found);
            self.pieces.for_each(&rest[start..at + length], SYMBOLS, &mut found);
            rest = &rest[at + length..];
        }
        runs::<SYMBOLS>(&self.plain, &mut found);
    }

    /// Fills `plain` up to the first character that depends on its neighbours, and returns the position of that character.
    fn plain<const SYMBOLS: bool>(&mut self, text: &str) -> Option<usize> {
        let table = WordTable::get();
        let out = &mut self.plain;
        out.clear();
        out.reserve(text.len());
        let mut at = 0;
        while at < text.len() {
            let (ascii, others) = text[at..].split_at(ascii_prefix(&text.as_bytes()[at..]));
            at += ascii.len();
            let start = out.len();
            out.push_str(ascii);
            if !SYMBOLS {
                out[start..].make_ascii_lowercase();
            }
            for c in others.chars() {
                if c.is_ascii() {
                    break;
                }
                let flags = table.flags(c);
                if flags.is_hard() {
                    return Some(at);
                }
                match flags.class() {
                    Class::Letter if !SYMBOLS && flags.folds() => out.push_str(table.folded(c)),
                    Class::Letter => out.push(c),
                    Class::Solo => out.extend([END, c, END]),
                    Class::Symbol if SYMBOLS => out.extend([END, c, END]),
                    Class::Ignored => {}
                    _ => out.push(END),
                }
                at += c.len_utf8();
            }
        }
        None
    }
}

fn runs<const SYMBOLS: bool>(plain: &str, found: &mut impl FnMut(&str, usize, usize)) {
    let each = |start, end| found(plain, start, end);
    if SYMBOLS { for_each_token(plain.as_bytes(), each) } else { for_each_word(plain.as_bytes(), each) }
}
