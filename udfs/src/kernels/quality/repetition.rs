//! Repetition of Gopher: Rae et al. 2021, appendix A.1.1, table A1, with the definitions of datatrove 0.10.
//!
//! Lengths of n-grams of words are compared with the characters of the whole text. The top n-gram is the one that
//! occurs most often (the first such), spaces counted, overlapping occurrences counted each; where that exceeds the
//! text, 1 is reported. Repeated n-grams are counted from left to right without overlap and without spaces.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use xxhash_rust::xxh3::xxh3_64;

use super::chars::trim;
use super::lines::{Repeats, is_blank, unify};
use super::tokens::for_each_word;
use super::{char_len, ratio};

/// Maximum fraction of repeated lines, and of repeated paragraphs.
pub const MAX_DUPLICATES: f64 = 0.3;
/// Maximum fraction of characters in repeated lines, and in repeated paragraphs.
pub const MAX_DUPLICATE_CHARS: f64 = 0.2;
/// Maximum fraction of characters in the top 2-, 3- and 4-gram.
pub const MAX_TOP: [f64; 3] = [0.2, 0.18, 0.16];
/// Maximum fraction of characters in repeated 5- to 10-grams.
pub const MAX_REPEATED: [f64; 6] = [0.15, 0.14, 0.13, 0.12, 0.11, 0.1];

/// The measurements of the rules, all fractions from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GopherRepetition {
    /// Fraction of paragraphs (separated by blank lines) equal to an earlier one.
    pub duplicate_paragraph_fraction: f64,
    /// Fraction of characters in those paragraphs.
    pub duplicate_paragraph_char_fraction: f64,
    /// Fraction of lines equal to an earlier one; blank lines only separate lines.
    pub duplicate_line_fraction: f64,
    /// Fraction of characters in those lines.
    pub duplicate_line_char_fraction: f64,
    /// Characters in the top n-gram, for n = 2, 3, 4.
    pub top_ngram_char_fraction: [f64; 3],
    /// Characters in repeated n-grams, for n = 5 to 10.
    pub duplicate_ngram_char_fraction: [f64; 6],
}

impl GopherRepetition {
    /// Measures `text`.
    pub fn measure(text: &str) -> Self {
        let text = &*unify(text);
        let chars = char_len(text);
        let mut paragraphs = Repeats::default();
        for_each_paragraph(trim(text), |p| paragraphs.add(p));
        let mut lines = Repeats::default();
        text.split('\n').filter(|line| !is_blank(line)).for_each(|line| lines.add(line));
        // datatrove also counts what precedes a line feed at the start and follows one at the end.
        lines.elements += u64::from(starts_blank(text)) + u64::from(ends_blank(text));
        let mut found = Self {
            duplicate_paragraph_fraction: ratio(paragraphs.repeated, paragraphs.elements),
            duplicate_paragraph_char_fraction: ratio(paragraphs.repeated_chars, chars),
            duplicate_line_fraction: ratio(lines.repeated, lines.elements),
            duplicate_line_char_fraction: ratio(lines.repeated_chars, chars),
            ..Self::default()
        };
        drop((paragraphs, lines));
        let mut grams = Grams::new(text);
        for fraction in &mut found.top_ngram_char_fraction {
            *fraction = ratio(grams.next_top(), chars).min(1.0);
        }
        for fraction in &mut found.duplicate_ngram_char_fraction {
            *fraction = ratio(grams.next_repeated(), chars);
        }
        found
    }

    /// The first violated rule.
    pub fn failed(&self) -> Option<&'static str> {
        const TOP: [&str; 3] = ["top_2_gram", "top_3_gram", "top_4_gram"];
        const REPEATED: [&str; 6] = [
            "duplicate_5_grams",
            "duplicate_6_grams",
            "duplicate_7_grams",
            "duplicate_8_grams",
            "duplicate_9_grams",
            "duplicate_10_grams",
        ];
        let whole = [
            (self.duplicate_paragraph_fraction, MAX_DUPLICATES, "duplicate_paragraphs"),
            (self.duplicate_paragraph_char_fraction, MAX_DUPLICATE_CHARS, "duplicate_paragraph_chars"),
            (self.duplicate_line_fraction, MAX_DUPLICATES, "duplicate_lines"),
            (self.duplicate_line_char_fraction, MAX_DUPLICATE_CHARS, "duplicate_line_chars"),
        ];
        let top = (0..3).map(|i| (self.top_ngram_char_fraction[i], MAX_TOP[i], TOP[i]));
        let repeated = (0..6).map(|i| (self.duplicate_ngram_char_fraction[i], MAX_REPEATED[i], REPEATED[i]));
        whole.into_iter().chain(top).chain(repeated).find_map(|(value, most, name)| (value > most).then_some(name))
    }
}

/// Calls `paragraph` with every run of non-blank lines.
fn for_each_paragraph<'a>(text: &'a str, mut paragraph: impl FnMut(&'a str)) {
    let (mut start, mut end, mut at) = (0, 0, 0);
    for line in text.split('\n') {
        if !is_blank(line) {
            if start == end {
                start = at;
            }
            end = at + line.len();
        } else if start < end {
            paragraph(&text[start..end]);
            start = end;
        }
        at += line.len() + 1;
    }
    if start < end {
        paragraph(&text[start..end]);
    }
}

fn starts_blank(text: &str) -> bool {
    text.split_once('\n').is_some_and(|(line, _)| is_blank(line))
}

fn ends_blank(text: &str) -> bool {
    text.rsplit_once('\n').is_some_and(|(_, line)| is_blank(line))
}

/// The n-grams of a document's words, for increasing n from 2, compared by a 64-bit hash.
///
/// An n-gram can occur twice only if both (n-1)-grams in it do, so each n examines only the positions left over by the
/// previous one. In ordinary text few are left from n = 4 on. At most 2^32 - 1 words are examined.
struct Grams {
    n: usize,
    /// The n-th power of `BASE`.
    power: u64,
    /// `prefix[i]` is a polynomial in `BASE` over the hashes of the first `i` words.
    prefix: Vec<u64>,
    /// Number of characters of each word.
    chars: Vec<u32>,
    /// Whether the n-gram that starts at this word occurs more than once.
    again: Vec<bool>,
    table: HashTable<Slot>,
}

struct Slot {
    hash: u64,
    first: u32,
    count: u32,
}

/// Any odd number with well-mixed bits would do.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

impl Grams {
    /// Starts at n = 1, where every word is assumed to occur more than once.
    fn new(text: &str) -> Self {
        let (mut prefix, mut chars, mut sum) = (vec![0], Vec::new(), 0u64);
        for_each_word(text, |word| {
            if chars.len() < u32::MAX as usize {
                sum = sum.wrapping_mul(BASE).wrapping_add(xxh3_64(word.as_bytes()));
                prefix.push(sum);
                chars.push(u32::try_from(char_len(word)).unwrap_or(u32::MAX));
            }
        });
        let again = vec![true; chars.len()];
        Self { n: 1, power: BASE, prefix, chars, again, table: HashTable::new() }
    }

    fn hash(&self, at: usize) -> u64 {
        let sum = self.prefix[at + self.n].wrapping_sub(self.prefix[at].wrapping_mul(self.power));
        // Mix the high bits into the low ones, which select the bucket.
        (sum ^ (sum >> 32)).wrapping_mul(BASE)
    }

    fn len(&self, at: usize) -> u64 {
        self.chars[at..at + self.n].iter().map(|&c| u64::from(c)).sum()
    }

    /// Advances to the next n. Returns the first position of the most frequent n-gram and its count; `None` if no n-gram
    /// occurs twice.
    fn advance(&mut self) -> Option<(usize, u32)> {
        self.n += 1;
        self.power = self.power.wrapping_mul(BASE);
        self.table.clear();
        let starts = (self.chars.len() + 1).saturating_sub(self.n);
        let mut best: Option<(usize, u32)> = None;
        for at in 0..starts {
            let candidate = self.again[at] && self.again[at + 1];
            self.again[at] = false;
            if !candidate {
                continue;
            }
            let hash = self.hash(at);
            match self.table.entry(hash, |slot| slot.hash == hash, |slot| slot.hash) {
                Entry::Vacant(free) => {
                    free.insert(Slot { hash, first: at as u32, count: 1 });
                }
                Entry::Occupied(mut slot) => {
                    let slot = slot.get_mut();
                    slot.count += 1;
                    let first = slot.first as usize;
                    self.again[at] = true;
                    self.again[first] = true;
                    if best.is_none_or(|(b, count)| slot.count > count || slot.count == count && first < b) {
                        best = Some((first, slot.count));
                    }
                }
            }
        }
        self.again[starts..].fill(false);
        best
    }

    /// Advances to the next n. Returns the number of characters of the most frequent n-gram times its count; if all occur
    /// once, of the first n-gram.
    fn next_top(&mut self) -> u64 {
        let best = self.advance();
        if self.chars.len() < self.n {
            return 0;
        }
        let (at, count) = best.unwrap_or((0, 1));
        (self.len(at) + self.n as u64 - 1) * u64::from(count)
    }

    /// Advances to the next n. Returns the number of characters in n-grams equal to one further left, counted from left to
    /// right without overlap.
    fn next_repeated(&mut self) -> u64 {
        self.advance();
        self.table.clear();
        let (mut at, mut chars) = (0, 0);
        while at < self.again.len() {
            if !self.again[at] {
                at += 1;
                continue;
            }
            let hash = self.hash(at);
            match self.table.entry(hash, |slot| slot.hash == hash, |slot| slot.hash) {
                Entry::Vacant(free) => {
                    free.insert(Slot { hash, first: at as u32, count: 1 });
                    at += 1;
                }
                Entry::Occupied(_) => {
                    chars += self.len(at);
                    at += self.n;
                }
            }
        }
        chars
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::{HashMap, HashSet};

    use super::*;

    fn words(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        for_each_word(text, |w| found.push(w));
        found
    }

    /// Reference implementation: the definitions without any shortcut.
    fn brute(text: &str) -> ([f64; 3], [f64; 6]) {
        let (words, chars) = (words(text), text.chars().count().max(1) as f64);
        let top = [2, 3, 4].map(|n| {
            let grams: Vec<_> = words.windows(n).map(|w| w.join(" ")).collect();
            let mut counts = HashMap::new();
            grams.iter().for_each(|g| *counts.entry(g).or_insert(0) += 1);
            let most = counts.values().copied().max().unwrap_or(0);
            let first = grams.iter().find(|g| counts[g] == most);
            (first.map_or(0, |g| g.chars().count() * most) as f64 / chars).min(1.0)
        });
        let repeated = [5, 6, 7, 8, 9, 10].map(|n| {
            let (mut seen, mut at, mut repeated) = (HashSet::new(), 0, 0);
            while at + n <= words.len() {
                let gram = &words[at..at + n];
                if seen.insert(gram) {
                    at += 1;
                } else {
                    repeated += gram.concat().chars().count();
                    at += n;
                }
            }
            repeated as f64 / chars
        });
        (top, repeated)
    }

    proptest! {
        #[test]
        fn equals_brute_force(text in "([abé](\\.\\.)? ?){0,80}") {
            let found = GopherRepetition::measure(&text);
            let (top, repeated) = brute(&text);
            prop_assert_eq!(found.top_ngram_char_fraction, top);
            prop_assert_eq!(found.duplicate_ngram_char_fraction, repeated);
        }

        #[test]
        fn equals_brute_force_of_phrases(parts in prop::collection::vec(0..6usize, 0..40)) {
            const PHRASES: [&str; 6] = ["a b c d e f g h i j k ", "l m n o p ", "a b c d e f ", "x ", "y z ", "d e f g h i j "];
            let text: String = parts.into_iter().map(|i| PHRASES[i]).collect();
            let found = GopherRepetition::measure(&text);
            prop_assert_eq!((found.top_ngram_char_fraction, found.duplicate_ngram_char_fraction), brute(&text));
        }
    }

    #[test]
    fn splits() {
        let parts = |text| {
            let mut found = Vec::new();
            for_each_paragraph(text, |p| found.push(p));
            found
        };
        assert_eq!(parts(""), [""; 0]);
        assert_eq!(parts("a"), ["a"]);
        assert_eq!(parts("a\nb\n\n c\n\n\n\nd "), ["a\nb", " c", "d "]);
        assert_eq!(parts("a\n \t\nb"), ["a", "b"]);
    }

    #[test]
    fn blank_lines_are_not_repeated() {
        let spaced =
            |gap: &str| (0..8).map(|i| format!("Paragraph {i} says a thing of its own.")).collect::<Vec<_>>().join(gap);
        for gap in ["\n\n\n\n", "\r\n\r\n", "\n  \n", "\r\r", "\n\u{3000}\n\t\n", "\u{2028}\u{2028}"] {
            let q = GopherRepetition::measure(&spaced(gap));
            assert_eq!(q.duplicate_line_fraction, 0.0, "{gap:?}");
            assert_eq!(q.duplicate_paragraph_fraction, 0.0, "{gap:?}");
            assert_eq!(q.duplicate_line_char_fraction, 0.0, "{gap:?}");
        }
        assert_eq!(GopherRepetition::measure("\n\n\na\n\n").duplicate_line_fraction, 0.0);
        let same = GopherRepetition::measure(&["The same paragraph again."; 8].join("\r\n\r\n"));
        assert_eq!((same.duplicate_line_fraction, same.duplicate_paragraph_fraction), (7.0 / 8.0, 7.0 / 8.0));
    }

    #[test]
    fn lines_and_paragraphs_by_hand() {
        let q = GopherRepetition::measure("abc\n\nabc\n\nde\nfgh");
        assert_eq!(q.duplicate_paragraph_fraction, 1.0 / 3.0);
        assert_eq!(q.duplicate_paragraph_char_fraction, 3.0 / 16.0);
        assert_eq!(q.duplicate_line_fraction, 1.0 / 4.0);
        assert_eq!(q.duplicate_line_char_fraction, 3.0 / 16.0);
        assert_eq!(q.failed(), Some("duplicate_paragraphs"));
    }

    #[test]
    fn ngrams_by_hand() {
        // 3 times `a b`, of 6 words and 11 characters
        let q = GopherRepetition::measure("a b a b a b");
        assert_eq!(q.top_ngram_char_fraction, [9.0 / 11.0, 10.0 / 11.0, 1.0]);
        assert_eq!(q.duplicate_ngram_char_fraction, [0.0; 6]);
        // the second run of five words repeats the first
        let q = GopherRepetition::measure("a b c d e a b c d e");
        assert_eq!(q.duplicate_ngram_char_fraction, [5.0 / 19.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    /// `n` different words.
    fn unique(n: usize, from: usize) -> String {
        (from..from + n).map(|i| format!("word{i:05} ")).collect()
    }

    fn failed(text: &str) -> Option<&'static str> {
        GopherRepetition::measure(text).failed()
    }

    #[test]
    fn every_rule_passes_and_fails() {
        assert_eq!(failed(&unique(100, 0)), None);
        let paragraphs =
            |n: usize| "p\n\n".repeat(n) + &(0..10).map(|i| unique(20, 20 * i) + "\n\n").collect::<String>();
        assert_eq!(failed(&paragraphs(5)), None);
        assert_eq!(failed(&paragraphs(6)), Some("duplicate_paragraphs"));
        let long = |n| unique(n, 900) + "\n\n" + &unique(n, 900) + "\n\n" + &unique(20, 0) + "\n\n" + &unique(20, 50);
        assert_eq!(failed(&long(15)), Some("duplicate_paragraph_chars"));
        let lines = |n: usize| "p\n".repeat(n) + &(0..10).map(|i| unique(20, 20 * i) + "\n").collect::<String>();
        assert_eq!(failed(&lines(6)), None);
        assert_eq!(failed(&lines(7)), Some("duplicate_lines"));
        assert_eq!(failed(&long(15).replace("\n\n", "\n")), Some("duplicate_line_chars"));
        let top = |phrase: &str| (0..40).map(|i| format!("{phrase} word{i:05} ")).collect::<String>();
        assert_eq!(failed(&top("to be")), Some("top_2_gram"));
        let spread =
            |phrase: &str| (0..40).map(|i| format!("{phrase} word{i:05} term{i} name{i} ")).collect::<String>();
        assert_eq!(failed(&spread("a")), None);
        assert_eq!(failed(&spread("to be a")), Some("top_3_gram"));
        assert_eq!(failed(&spread("a b c d")), Some("top_4_gram"));
    }

    #[test]
    fn every_ngram_rule_fails() {
        // Six phrases of n words, each twice, between words that occur once: the n-grams are over their limit, the
        // shorter ones are not.
        let text = |n: usize, filler: usize| {
            let block = |from: usize| {
                (0..6).map(|i| unique(n, 100 * (i + 1)) + &unique(filler, from + 100 * i)).collect::<String>()
            };
            block(20_000) + &block(30_000)
        };
        for (n, filler, rule) in [
            (5, 9, "duplicate_5_grams"),
            (6, 12, "duplicate_6_grams"),
            (7, 15, "duplicate_7_grams"),
            (8, 19, "duplicate_8_grams"),
            (9, 24, "duplicate_9_grams"),
            (10, 30, "duplicate_10_grams"),
        ] {
            assert_eq!(failed(&text(n, filler)), Some(rule));
            assert_eq!(failed(&text(n, 2 * filler)), None);
        }
    }

    #[test]
    fn empty_repeats_nothing() {
        assert_eq!(GopherRepetition::measure(""), GopherRepetition::default());
        assert_eq!(failed(""), None);
        assert_eq!(failed("word"), None);
    }
}
