//! The clean-up of C4: Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
//! Transformer", section 2.2, with the order of rules and the two rules on word length and policy notices of its
//! published code, as datatrove 0.10 has them. The list of bad words is not part of it.
//!
//! C4 is a rule for lines first: a line must hold no word over 1000 characters, end in terminal punctuation, have at
//! least three words, and mention neither JavaScript nor a policy. A page is refused for `lorem ipsum` or a curly
//! bracket in such a line, or for fewer than five sentences in them.

use std::borrow::Cow;

use super::chars::{is_space, trim};
use super::lines::lines;
use super::tokens::count_sentences;

/// Maximum number of characters of a word in a kept line.
pub const MAX_WORD_LENGTH: usize = 1000;
/// Minimum number of words in a kept line.
pub const MIN_WORDS_PER_LINE: usize = 3;
/// Minimum number of sentences in a kept document.
pub const MIN_SENTENCES: u64 = 5;

const POLICIES: [&str; 6] =
    ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"];

/// The measurements of C4's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct C4Quality {
    /// Lines of the text.
    pub line_count: u64,
    /// Lines that are kept.
    pub kept_line_count: u64,
    /// Lines dropped for a word of more than 1000 characters.
    pub long_word_line_count: u64,
    /// Lines dropped because they do not end in `. ? ! " '`, or end in `...`.
    pub unterminated_line_count: u64,
    /// Lines dropped for fewer than three words.
    pub short_line_count: u64,
    /// Lines dropped for the word `javascript`.
    pub javascript_line_count: u64,
    /// Lines dropped for a phrase of cookie and privacy notices.
    pub policy_line_count: u64,
    /// Sentences in the kept lines.
    pub sentence_count: u64,
    /// Whether `lorem ipsum` occurs in a line that is long enough and terminated.
    pub lorem_ipsum: bool,
    /// Whether `{` occurs in such a line without `javascript`.
    pub curly_bracket: bool,
    /// Which of the two came first.
    refused: Option<&'static str>,
}

impl C4Quality {
    /// Measures `text`.
    pub fn measure(text: &str) -> Self {
        Self::walk(text, |_| {})
    }

    /// The first violated rule.
    pub fn failed(&self) -> Option<&'static str> {
        self.refused.or_else(|| (self.sentence_count < MIN_SENTENCES).then_some("too_few_sentences"))
    }

    /// Measures `text` and passes every kept line, without citation marks, to `keep`.
    fn walk(text: &str, mut keep: impl FnMut(&str)) -> Self {
        let mut found = Self::default();
        for line in lines(text) {
            found.line_count += 1;
            let line = trim(line);
            if has_long_word(line) {
                found.long_word_line_count += 1;
                continue;
            }
            let line_words = || line.split(is_space).filter(|w| !w.is_empty()).take(MIN_WORDS_PER_LINE).count();
            let cleaned = without_citations(line);
            if !cleaned.ends_with(['.', '?', '!', '"', '\'']) || cleaned.ends_with("...") {
                found.unterminated_line_count += 1;
            } else if line_words() < MIN_WORDS_PER_LINE {
                found.short_line_count += 1;
            } else {
                found.judge(&cleaned, &mut keep);
            }
        }
        found
    }

    fn judge(&mut self, line: &str, keep: &mut impl FnMut(&str)) {
        let phrases = phrases(line);
        if phrases.lorem_ipsum {
            self.lorem_ipsum = true;
            self.refused.get_or_insert("lorem_ipsum");
        }
        if phrases.javascript {
            self.javascript_line_count += 1;
            return;
        }
        if line.contains('{') {
            self.curly_bracket = true;
            self.refused.get_or_insert("curly_bracket");
        }
        if phrases.policy {
            self.policy_line_count += 1;
            return;
        }
        self.kept_line_count += 1;
        self.sentence_count += count_sentences(line);
        keep(line);
    }
}

/// The kept lines of `text`, without citation marks, joined by line feeds: what C4 keeps of a page, whatever its verdict.
pub fn clean(text: &str) -> String {
    let mut cleaned = String::new();
    C4Quality::walk(text, |line| {
        if !cleaned.is_empty() {
            cleaned.push('\n');
        }
        cleaned.push_str(line);
    });
    let trimmed = trim(&cleaned);
    if trimmed.len() < cleaned.len() { trimmed.to_owned() } else { cleaned }
}

fn has_long_word(line: &str) -> bool {
    line.len() > MAX_WORD_LENGTH
        && line.split(is_space).any(|w| w.len() > MAX_WORD_LENGTH && w.chars().nth(MAX_WORD_LENGTH).is_some())
}

/// `line` without `[edit]`, `[citation needed]` and `[` digits `]`.
fn without_citations(line: &str) -> Cow<'_, str> {
    let mut cleaned = String::new();
    let (mut start, mut from) = (0, 0);
    while let Some(at) = line[from..].find('[') {
        let at = from + at;
        let width = citation(&line[at..]);
        if width > 0 {
            cleaned.push_str(&line[start..at]);
            start = at + width;
        }
        from = at + width.max(1);
    }
    if start == 0 {
        return Cow::Borrowed(line);
    }
    cleaned.push_str(&line[start..]);
    Cow::Owned(cleaned)
}

/// Length in bytes of the citation mark at the start of `s`; 0 if there is none.
fn citation(s: &str) -> usize {
    for mark in ["[edit]", "[citation needed]"] {
        if s.starts_with(mark) {
            return mark.len();
        }
    }
    let digits = s.bytes().skip(1).take_while(u8::is_ascii_digit).count();
    if s.as_bytes().get(digits + 1) == Some(&b']') { digits + 2 } else { 0 }
}

#[derive(Default)]
struct Phrases {
    lorem_ipsum: bool,
    javascript: bool,
    policy: bool,
}

/// Finds the policy phrases in `line`, ignoring case, in one pass: only six letters can start one.
fn phrases(line: &str) -> Phrases {
    let mut found = Phrases::default();
    let bytes = line.as_bytes();
    let at_is = |at: usize, phrase: &str| {
        bytes.get(at..at + phrase.len()).is_some_and(|b| b.eq_ignore_ascii_case(phrase.as_bytes()))
    };
    for (at, pair) in bytes.windows(2).enumerate() {
        match [pair[0] | 0x20, pair[1] | 0x20] {
            [b'l', b'o'] => found.lorem_ipsum |= at_is(at, "lorem ipsum"),
            [b'j', b'a'] => found.javascript |= at_is(at, "javascript"),
            [b't', b'e'] | [b'p', b'r'] | [b'c', b'o'] | [b'u', b's'] if !found.policy => {
                found.policy = POLICIES.iter().any(|phrase| at_is(at, phrase));
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "This is one. Here is two! Is this three? \"Four it is.\"\nAnd so five.";

    fn failed(text: &str) -> Option<&'static str> {
        C4Quality::measure(text).failed()
    }

    #[test]
    fn measures_by_hand() {
        let long = "x".repeat(1001);
        let text = format!(
            "Menu\nFirst line stays.[1] It does.\n  A line without an end\nToo short.\nAnd so on...\n\
             Please enable JavaScript to go on.\nWe use cookies on this site.\n{long} is a long word.\nThat is all, folks!"
        );
        let q = C4Quality::measure(&text);
        let expected = C4Quality {
            line_count: 9,
            kept_line_count: 2,
            long_word_line_count: 1,
            unterminated_line_count: 3,
            short_line_count: 1,
            javascript_line_count: 1,
            policy_line_count: 1,
            sentence_count: 3,
            ..C4Quality::default()
        };
        assert_eq!(q, expected);
        assert_eq!(q.failed(), Some("too_few_sentences"));
        assert_eq!(clean(&text), "First line stays. It does.\nThat is all, folks!");
    }

    #[test]
    fn every_line_rule_passes_and_drops() {
        let kept = |line: &str| C4Quality::measure(line).kept_line_count == 1;
        for (passes, drops) in [
            (format!("{} and more.", "x".repeat(1000)), format!("{} and more.", "x".repeat(1001))),
            (format!("{} and more.", "é".repeat(1000)), format!("{} and more.", "é".repeat(1001))),
            ("He said \"so it is\"".into(), "He said so it is".into()),
            ("It goes on. ..".into(), "It goes on...".into()),
            ("Just three words.".into(), "Two words.".into()),
            ("We like java script.".into(), "We like jAvAScript.".into()),
            ("The policy on privacy is this.".into(), "The Privacy Policy is this.".into()),
            ("The term is of use.".into(), "See the terms of use.".into()),
        ] {
            assert!(kept(&passes), "{passes}");
            assert!(!kept(&drops), "{drops}");
        }
    }

    #[test]
    fn every_page_rule_passes_and_fails() {
        assert_eq!(failed(GOOD), None);
        assert_eq!(failed(&GOOD.replace("And so five.", "And so")), Some("too_few_sentences"));
        assert_eq!(failed(&format!("{GOOD}\nThe Lorem Ipsum is here.")), Some("lorem_ipsum"));
        assert_eq!(failed(&format!("{GOOD}\nlorem ipsum")), None);
        assert_eq!(failed(&format!("{GOOD}\nWe open {{ it.")), Some("curly_bracket"));
        assert_eq!(failed(&format!("{GOOD}\nfn main() {{")), None);
        assert_eq!(failed(&format!("{GOOD}\nWe open {{ it.\nThe lorem ipsum is here.")), Some("curly_bracket"));
        assert_eq!(failed(&format!("{GOOD}\nThe lorem ipsum is here.\nWe open {{ it.")), Some("lorem_ipsum"));
    }

    #[test]
    fn citations() {
        assert_eq!(without_citations("a[1] b[] c[edit] d[citation needed] e[x] [12"), "a b c d e[x] [12");
        assert!(matches!(without_citations("no [mark] here"), Cow::Borrowed(_)));
        assert_eq!(clean("A fact is this.[12]"), "A fact is this.");
        assert_eq!(clean("A fact is this. [12]"), "", "the space before the mark stays, as in the published code");
    }

    #[test]
    fn empty() {
        assert_eq!(C4Quality::measure(""), C4Quality::default());
        assert_eq!(failed(""), Some("too_few_sentences"));
        assert_eq!(clean("\n\n"), "");
    }
}
