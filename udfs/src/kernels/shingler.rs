//! Turns a text into its shingles.

use serde::{Deserialize, Serialize};

use super::shingles::{char_shingle_hashes, shingle_hashes, to_set};
use super::words::{Rule, Tokenizer};

/// The unit of which shingles consist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Unit {
    /// Words or tokens, see [`super::words`].
    Words(Rule),
    /// Characters of the unmodified text.
    Char,
}

impl From<Unit> for String {
    fn from(unit: Unit) -> Self {
        unit.name().to_owned()
    }
}

impl TryFrom<String> for Unit {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::parse(&name).ok_or_else(|| format!("`{name}` is no unit of shingles"))
    }
}

impl Unit {
    /// Words of every script.
    pub const WORD: Self = Self::Words(Rule::Word);

    /// Every unit.
    pub const ALL: [Self; 4] = [Self::WORD, Self::Words(Rule::Token), Self::Words(Rule::PythonWord), Self::Char];

    /// The name in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Words(Rule::Word) => "word",
            Self::Words(Rule::Token) => "token",
            Self::Words(Rule::PythonWord) => "python_word",
            Self::Char => "char",
        }
    }

    /// Parses the name of a unit.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.name() == name)
    }
}

impl Default for Unit {
    fn default() -> Self {
        Self::WORD
    }
}

/// Computes the shingle hashes of one text after another, reusing its buffers.
#[derive(Debug)]
pub struct Shingler {
    unit: Unit,
    n: usize,
    tokenizer: Tokenizer,
    words: Vec<u64>,
}

impl Shingler {
    /// Creates a shingler for `n` units per shingle; `n` is at least 1.
    pub fn new(unit: Unit, n: usize) -> Self {
        let rule = if let Unit::Words(rule) = unit { rule } else { Rule::default() };
        Self { unit, n, tokenizer: Tokenizer::new(rule), words: Vec::new() }
    }

    /// Replaces `out` by the hash of every shingle, in the order of the text, repetitions included.
    ///
    /// A text of fewer than `n` units has one shingle of them all, a text of no unit none.
    pub fn hashes(&mut self, text: &str, out: &mut Vec<u64>) {
        out.clear();
        match self.unit {
            Unit::Words(_) => {
                self.words.clear();
                self.tokenizer.hashes(text, &mut self.words);
                shingle_hashes(&self.words, self.n, out);
            }
            Unit::Char => char_shingle_hashes(text, self.n, out),
        }
    }

    /// The hashes of the words of the last text, none where the unit is not words.
    pub fn words(&self) -> &[u64] {
        &self.words
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
            Unit::Words(rule) => {
                let mut words = vec![];
                Tokenizer::new(rule).for_each(text, |word| words.push(word.to_owned()));
                words
            }
            Unit::Char => text.chars().map(String::from).collect(),
        };
        if units.is_empty() {
            return HashSet::new();
        }
        let separator = if unit == Unit::Char { "" } else { " " };
        units.windows(n.min(units.len())).map(|window| window.join(separator)).collect()
    }

    proptest! {
        #[test]
        fn similarity_is_that_of_sets_of_strings(
            a in "(([abcé]{1,2}|[AB\u{301}])[ ,]){0,25}", b in "(([abcé]{1,2}|[AB\u{301}])[ ,]){0,25}",
            n in 1_usize..6, unit in prop::sample::select(&Unit::ALL[..]),
        ) {
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
