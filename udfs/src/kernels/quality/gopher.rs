//! Document quality of Gopher: Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training
//! Gopher", appendix A.1.1, with the definitions of datatrove 0.10.

use super::chars::is_symbol;
use super::lines::lines;
use super::ratio;
use super::tokens::for_each_word;

/// Minimum number of words in a kept document.
pub const MIN_WORDS: u64 = 50;
/// Maximum number of words in a kept document.
pub const MAX_WORDS: u64 = 100_000;
/// Minimum mean word length.
pub const MIN_MEAN_WORD_LENGTH: f64 = 3.0;
/// Maximum mean word length.
pub const MAX_MEAN_WORD_LENGTH: f64 = 10.0;
/// Maximum number of `#`, and of ellipses, per word.
pub const MAX_SYMBOL_RATIO: f64 = 0.1;
/// Maximum fraction of lines that start with a bullet.
pub const MAX_BULLET_LINES: f64 = 0.9;
/// Maximum fraction of lines that end with an ellipsis.
pub const MAX_ELLIPSIS_LINES: f64 = 0.3;
/// Minimum fraction of words that contain a letter.
pub const MIN_ALPHABETIC_WORDS: f64 = 0.8;
/// Minimum number of different stop words.
pub const MIN_STOP_WORDS: u64 = 2;

const STOP_WORDS: [&str; 8] = ["the", "be", "to", "of", "and", "that", "have", "with"];

/// The measurements of Gopher's rules.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GopherQuality {
    /// Words that do not consist of symbols only.
    pub word_count: u64,
    /// Mean number of characters of those words.
    pub mean_word_length: f64,
    /// `#` signs per word of any kind.
    pub hash_ratio: f64,
    /// `...` and `…` per word of any kind.
    pub ellipsis_ratio: f64,
    /// Fraction of lines that start with `•` or `-`.
    pub bullet_line_fraction: f64,
    /// Fraction of lines that end with `...` or `…`.
    pub ellipsis_line_fraction: f64,
    /// Fraction of words of any kind that hold a letter.
    pub alphabetic_word_fraction: f64,
    /// How many of `the be to of and that have with` occur (lower case).
    pub stop_word_count: u64,
}

impl GopherQuality {
    /// Measures `text`.
    pub fn measure(text: &str) -> Self {
        let (mut all, mut words, mut chars, mut alphabetic, mut stops) = (0, 0, 0, 0, 0u8);
        for_each_word(text, |word| {
            let look = look(word);
            all += 1;
            alphabetic += u64::from(look.letter);
            if !look.symbols_only {
                words += 1;
                chars += look.chars;
            }
            if (2..=4).contains(&word.len())
                && let Some(i) = STOP_WORDS.iter().position(|&s| s == word)
            {
                stops |= 1 << i;
            }
        });
        let (mut line_count, mut bullets, mut trailing) = (0, 0, 0);
        for line in lines(text) {
            line_count += 1;
            bullets += u64::from(line.trim_start_matches(super::chars::is_space).starts_with(['•', '-']));
            let end = line.trim_end_matches(super::chars::is_space);
            trailing += u64::from(end.ends_with("...") || end.ends_with('…'));
        }
        let hashes = text.bytes().filter(|&b| b == b'#').count() as u64;
        Self {
            word_count: words,
            mean_word_length: ratio(chars, words),
            hash_ratio: ratio(hashes, all),
            ellipsis_ratio: ratio(ellipses(text), all),
            bullet_line_fraction: ratio(bullets, line_count),
            ellipsis_line_fraction: ratio(trailing, line_count),
            alphabetic_word_fraction: ratio(alphabetic, all),
            stop_word_count: u64::from(stops.count_ones()),
        }
    }

    /// The first violated rule.
    pub fn failed(&self) -> Option<&'static str> {
        let rules = [
            (self.word_count < MIN_WORDS, "too_few_words"),
            (self.word_count > MAX_WORDS, "too_many_words"),
            (self.mean_word_length < MIN_MEAN_WORD_LENGTH, "words_too_short"),
            (self.mean_word_length > MAX_MEAN_WORD_LENGTH, "words_too_long"),
            (self.hash_ratio > MAX_SYMBOL_RATIO, "too_many_hashes"),
            (self.ellipsis_ratio > MAX_SYMBOL_RATIO, "too_many_ellipses"),
            (self.bullet_line_fraction > MAX_BULLET_LINES, "too_many_bullet_lines"),
            (self.ellipsis_line_fraction > MAX_ELLIPSIS_LINES, "too_many_ellipsis_lines"),
            (self.alphabetic_word_fraction < MIN_ALPHABETIC_WORDS, "too_few_alphabetic_words"),
            (self.stop_word_count < MIN_STOP_WORDS, "too_few_stop_words"),
        ];
        rules.into_iter().find_map(|(broken, name)| broken.then_some(name))
    }
}

/// Number of `…` and of non-overlapping `...`.
fn ellipses(text: &str) -> u64 {
    let (mut found, mut run) = (0, 0);
    let bytes = text.as_bytes();
    for (i, &b) in bytes.iter().enumerate() {
        if b == b'.' {
            run += 1;
            if run == 3 {
                found += 1;
                run = 0;
            }
        } else {
            run = 0;
            found += u64::from(b == 0xe2 && bytes[i..].starts_with("…".as_bytes()));
        }
    }
    found
}

struct Look {
    chars: u64,
    letter: bool,
    symbols_only: bool,
}

fn look(word: &str) -> Look {
    if word.is_ascii() {
        let letter = word.bytes().any(|b| b.is_ascii_alphabetic());
        let symbols_only = !letter && word.bytes().all(|b| b.is_ascii_punctuation() || b.is_ascii_control());
        return Look { chars: word.len() as u64, letter, symbols_only };
    }
    let mut look = Look { chars: 0, letter: false, symbols_only: true };
    for c in word.chars() {
        look.chars += 1;
        look.letter |= c.is_alphabetic();
        look.symbols_only = look.symbols_only && is_symbol(c);
    }
    look
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 48 words of 4 letters, then `more`.
    fn words48(more: &str) -> String {
        "tree ".repeat(48) + more
    }

    fn failed(text: &str) -> Option<&'static str> {
        GopherQuality::measure(text).failed()
    }

    #[test]
    fn measures_by_hand() {
        let q = GopherQuality::measure("- the #1 dog...\n• and… 42 the 'cats'\nend");
        // - the # 1 dog ... • and … 42 the ' cats ' end
        assert_eq!(q.word_count, 8 + 1); // the 1 dog and 42 the cats end, and • which no list of symbols has
        assert_eq!(q.mean_word_length, (3 + 1 + 3 + 3 + 2 + 3 + 4 + 3 + 1) as f64 / 9.0);
        assert_eq!(q.hash_ratio, 1.0 / 15.0);
        assert_eq!(q.ellipsis_ratio, 2.0 / 15.0);
        assert_eq!(q.bullet_line_fraction, 2.0 / 3.0);
        assert_eq!(q.ellipsis_line_fraction, 1.0 / 3.0);
        assert_eq!(q.alphabetic_word_fraction, 6.0 / 15.0);
        assert_eq!(q.stop_word_count, 2);
    }

    #[test]
    fn every_rule_passes_and_fails() {
        assert_eq!(failed(&words48("the and")), None);
        assert_eq!(failed(&words48("the ,")), Some("too_few_words"));
        assert_eq!(failed(&"the and ".repeat(50_000)), None);
        assert_eq!(failed(&("the and ".repeat(50_000) + "the")), Some("too_many_words"));
        assert_eq!(failed(&"to of ".repeat(25)), Some("words_too_short"));
        assert_eq!(failed(&("tenletters ".repeat(60) + "to of")), None);
        assert_eq!(failed(&("elevenchars ".repeat(600) + "to of")), Some("words_too_long"));
        assert_eq!(failed(&(words48("the and ") + &"# ".repeat(5))), None);
        assert_eq!(failed(&(words48("the and ") + &"# ".repeat(6))), Some("too_many_hashes"));
        assert_eq!(failed(&(words48("the and ") + &"... tree ".repeat(5))), None);
        assert_eq!(failed(&(words48("the and ") + &"... ".repeat(6) + "tree")), Some("too_many_ellipses"));
        let bullets = |n: usize| "- tree tree tree the and\n".repeat(n);
        assert_eq!(failed(&(bullets(18) + "tree\ntree\n")), None);
        assert_eq!(failed(&(bullets(19) + "tree\ntree\n")), Some("too_many_bullet_lines"));
        let trailing = |n: usize| "tree tree tree the and tree tree tree...\n".repeat(n);
        assert_eq!(failed(&(trailing(3) + &"the tree tree tree tree\n".repeat(7))), None);
        assert_eq!(failed(&(trailing(4) + &"the tree tree tree tree\n".repeat(7))), Some("too_many_ellipsis_lines"));
        assert_eq!(failed(&("tree ".repeat(78) + "the and" + &" 1234".repeat(20))), None);
        assert_eq!(failed(&("tree ".repeat(77) + "the and" + &" 1234".repeat(21))), Some("too_few_alphabetic_words"));
        assert_eq!(failed(&words48("the the The THE and")), None);
        assert_eq!(failed(&words48("the the The AND")), Some("too_few_stop_words"));
    }

    #[test]
    fn empty() {
        let q = GopherQuality::measure("");
        assert_eq!(q, GopherQuality::default());
        assert_eq!(q.failed(), Some("too_few_words"));
    }

    #[test]
    fn counts_ellipses_without_overlap() {
        assert_eq!(ellipses("a..b...c....d......"), 4);
        assert_eq!(ellipses("…‥…."), 2);
    }
}
