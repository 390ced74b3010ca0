//! Custom filters of FineWeb: Penedo et al. 2024, "The FineWeb Datasets: Decanting the Web for the Finest Text Data at
//! Scale", section 3.6, with the thresholds and the list rule of datatrove 0.10.

use super::chars::ends_sentence;
use super::lines::{Repeats, is_blank, unify};
use super::tokens::count_words;
use super::{char_len, ratio};

/// Minimum fraction of lines that end with a sentence mark.
pub const MIN_PUNCTUATED_LINES: f64 = 0.12;
/// Maximum number of characters of a short line.
pub const SHORT_LINE: u64 = 30;
/// Maximum fraction of short lines.
pub const MAX_SHORT_LINES: f64 = 0.67;
/// Maximum fraction of characters in lines equal to an earlier one.
pub const MAX_DUPLICATE_CHARS: f64 = 0.01;
/// Maximum number of line feeds per word.
pub const MAX_LINE_FEEDS: f64 = 0.3;

/// The measurements of FineWeb's rules.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FinewebQuality {
    /// Lines with more than white space.
    pub line_count: u64,
    /// Fraction of these whose last character ends a sentence in some script.
    pub punctuated_line_fraction: f64,
    /// Fraction of these with at most 30 characters.
    pub short_line_fraction: f64,
    /// Characters in lines equal to an earlier one, as a fraction of all characters except line feeds.
    pub duplicate_line_char_fraction: f64,
    /// Line feeds per word.
    pub line_feed_ratio: f64,
}

impl FinewebQuality {
    /// Measures `text`.
    pub fn measure(text: &str) -> Self {
        let (mut punctuated, mut short, mut line_feeds) = (0, 0, 0);
        let mut repeats = Repeats::default();
        let text = &*unify(text);
        for line in text.split('\n') {
            line_feeds += 1;
            if is_blank(line) {
                continue;
            }
            repeats.add(line);
            punctuated += u64::from(line.ends_with(ends_sentence));
            short += u64::from(line.len() <= SHORT_LINE as usize * 4 && char_len(line) <= SHORT_LINE);
        }
        line_feeds -= 1;
        Self {
            line_count: repeats.elements,
            punctuated_line_fraction: ratio(punctuated, repeats.elements),
            short_line_fraction: ratio(short, repeats.elements),
            duplicate_line_char_fraction: ratio(repeats.repeated_chars, char_len(text) - line_feeds),
            line_feed_ratio: ratio(line_feeds, count_words(text)),
        }
    }

    /// The first violated rule.
    pub fn failed(&self) -> Option<&'static str> {
        let rules = [
            (self.line_count == 0, "empty"),
            (self.punctuated_line_fraction < MIN_PUNCTUATED_LINES, "too_few_punctuated_lines"),
            (self.short_line_fraction > MAX_SHORT_LINES, "too_many_short_lines"),
            (self.duplicate_line_char_fraction > MAX_DUPLICATE_CHARS, "duplicate_line_chars"),
            (self.line_feed_ratio > MAX_LINE_FEEDS, "too_many_line_feeds"),
        ];
        rules.into_iter().find_map(|(broken, name)| broken.then_some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(text: &str) -> Option<&'static str> {
        FinewebQuality::measure(text).failed()
    }

    const LONG: &str = "This line has more than thirty characters in it";

    #[test]
    fn measures_by_hand() {
        let q = FinewebQuality::measure(
            "One line.\n\n  \nOne line.\nAnother of exactly thirty c 30\nAnd of thirty-one chars now 31。\n",
        );
        assert_eq!(q.line_count, 4);
        assert_eq!(q.punctuated_line_fraction, 3.0 / 4.0);
        assert_eq!(q.short_line_fraction, 3.0 / 4.0);
        assert_eq!(q.duplicate_line_char_fraction, 9.0 / (9 + 2 + 9 + 30 + 31) as f64);
        // One line . One line . Another of exactly thirty c 30 And of thirty - one characters 31 。
        assert_eq!(q.line_feed_ratio, 6.0 / 21.0);
    }

    #[test]
    fn every_rule_passes_and_fails() {
        assert_eq!(failed(&format!("{LONG}.")), None);
        assert_eq!(failed(""), Some("empty"));
        assert_eq!(failed("\n \n\t"), Some("empty"));
        let mixed = |n: usize| (0..n).map(|i| format!("{LONG} {i}\n")).collect::<String>() + LONG + "!";
        assert_eq!(failed(&mixed(7)), None);
        assert_eq!(failed(&mixed(8)), Some("too_few_punctuated_lines"));
        let short = |n: usize| {
            (0..n).map(|i| format!("Short line number {i}.\n")).collect::<String>() + LONG + "\n" + &LONG[1..]
        };
        assert_eq!(failed(&short(4)), None);
        assert_eq!(failed(&short(5)), Some("too_many_short_lines"));
        let repeated = |n: usize| format!("A!\nA!\n{}.", format!("{LONG} ").repeat(n));
        assert_eq!(failed(&repeated(5)), None);
        assert_eq!(failed(&repeated(4)), Some("duplicate_line_chars"), "2 of 197 characters");
        let feeds = |n: usize| format!("{LONG}.{}{}.", "\n".repeat(n), &LONG[1..]);
        assert_eq!(failed(&feeds(6)), None);
        assert_eq!(failed(&feeds(7)), Some("too_many_line_feeds"));
    }

    #[test]
    fn white_space_after_the_mark_counts() {
        assert_eq!(FinewebQuality::measure("It ends. ").punctuated_line_fraction, 0.0);
        assert_eq!(FinewebQuality::measure("It ends\u{964}").punctuated_line_fraction, 1.0);
    }
}
