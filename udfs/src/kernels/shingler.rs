//! From a text to its shingles.

use super::shingles::{char_shingle_hashes, shingle_hashes, to_set};
use super::words::Tokenizer;

/// What a shingle is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Unit {
    /// Lower-cased words, see [`super::words`].
    #[default]
    Word,
    /// Characters of the text as it is.
    Char,
}

impl Unit {
    /// Every unit by its name.
    pub const NAMES: [(&str, Self); 2] = [("word", Self::Word), ("char", Self::Char)];

    /// The unit of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, unit)| *unit)
    }
}

/// Turns texts into hashes of their shingles; keeps its buffers from text to text.
#[derive(Debug)]
pub struct Shingler {
    unit: Unit,
    n: usize,
    tokenizer: Tokenizer,
    words: Vec<u64>,
}

impl Shingler {
    /// Shingles of `n` units, `n` at least 1.
    pub fn new(unit: Unit, n: usize) -> Self {
        Self { unit, n, tokenizer: Tokenizer::new(), words: Vec::new() }
    }

    /// Replaces `out` by the hash of every shingle, in the order of the text, repetitions included.
    ///
    /// A text of fewer than `n` units has one shingle of them all, a text of no unit none.
    pub fn hashes(&mut self, text: &str, out: &mut Vec<u64>) {
        out.clear();
        match self.unit {
            Unit::Word => {
                self.words.clear();
                self.tokenizer.word_hashes(text, &mut self.words);
                shingle_hashes(&self.words, self.n, out);
            }
            Unit::Char => char_shingle_hashes(text, self.n, out),
        }
    }

    /// Replaces `out` by the sorted set of the hashes.
    pub fn set(&mut self, text: &str, out: &mut Vec<u64>) {
        self.hashes(text, out);
        to_set(out);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::kernels::shingles::jaccard_sorted;

    fn strings(unit: Unit, n: usize, text: &str) -> HashSet<String> {
        let units: Vec<String> = match unit {
            Unit::Word => Tokenizer::new().words(text).map(str::to_owned).collect(),
            Unit::Char => text.chars().map(String::from).collect(),
        };
        if units.is_empty() {
            return HashSet::new();
        }
        let separator = if unit == Unit::Word { " " } else { "" };
        units.windows(n.min(units.len())).map(|window| window.join(separator)).collect()
    }

    proptest! {
        #[test]
        fn similarity_is_that_of_sets_of_strings(
            a in "(([abcé]{1,2}|[AB\u{301}])[ ,]){0,25}", b in "(([abcé]{1,2}|[AB\u{301}])[ ,]){0,25}",
            n in 1_usize..6, chars in any::<bool>(),
        ) {
            let unit = if chars { Unit::Char } else { Unit::Word };
            let mut shingler = Shingler::new(unit, n);
            let (mut x, mut y) = (vec![], vec![]);
            shingler.set(&a, &mut x);
            shingler.set(&b, &mut y);
            let (s, t) = (strings(unit, n, &a), strings(unit, n, &b));
            prop_assert_eq!((x.len(), y.len()), (s.len(), t.len()));
            let union = s.union(&t).count();
            let expected = if union == 0 { 0.0 } else { s.intersection(&t).count() as f64 / union as f64 };
            prop_assert_eq!(jaccard_sorted(&x, &y), expected);
        }
    }
}
