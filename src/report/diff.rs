//! Two texts compared word by word, for the page and for the terminal.

use std::ops::Range;
use std::time::{Duration, Instant};

use serde::Serialize;
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

/// Time one comparison may take; past it the rest of the texts counts as changed.
const PATIENCE: Duration = Duration::from_millis(200);
/// Above this many tokens on a side, lines are compared in place of words.
const MAX_TOKENS: usize = 20_000;
/// Equal runs with more words than this are folded ...
const FOLD_ABOVE: usize = 48;
/// ... to this many words beside a change ...
const CONTEXT: usize = 12;
/// ... and to this many where nothing changed at all.
const OPENING: usize = 40;

/// What a run of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// In both texts.
    Equal,
    /// In the first text only.
    Removed,
    /// In the second text only.
    Added,
    /// In both texts, and not worth reading.
    Folded,
}

/// A run of text of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Part<'a> {
    /// What it is.
    pub kind: Kind,
    /// The text.
    pub text: &'a str,
    /// Its words; counted for folded runs only.
    pub words: usize,
}

impl<'a> Part<'a> {
    fn new(kind: Kind, text: &'a str) -> Self {
        Self { kind, text, words: 0 }
    }
}

/// The runs of `a` and `b` in reading order: all but the added ones make up `a`, all but the removed ones `b`.
///
/// Bounded in time whatever the texts are: very long ones are compared by lines, and hopeless ones given up.
pub fn compare<'a>(a: &'a str, b: &'a str) -> Vec<Part<'a>> {
    let (mut old, mut new) = (tokens(a), tokens(b));
    if old.len().max(new.len()) > MAX_TOKENS {
        old = a.split_inclusive('\n').collect();
        new = b.split_inclusive('\n').collect();
    }
    let ops = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Instant::now().checked_add(PATIENCE));
    let mut parts = Vec::new();
    let (mut at_a, mut at_b) = (0, 0);
    for block in blocks(&ops, &old) {
        let left = advance(a, &mut at_a, &old[block.old]);
        let right = advance(b, &mut at_b, &new[block.new]);
        if block.equal {
            parts.push(Part::new(Kind::Equal, left));
        } else {
            parts.extend(
                [(Kind::Removed, left), (Kind::Added, right)]
                    .into_iter()
                    .filter_map(|(kind, text)| if text.is_empty() { None } else { Some(Part::new(kind, text)) }),
            );
        }
    }
    parts
}

/// The same runs with the middle of every long equal run folded.
pub fn fold<'a>(parts: &[Part<'a>]) -> Vec<Part<'a>> {
    let unchanged = parts.iter().all(|part| part.kind == Kind::Equal);
    let mut out = Vec::with_capacity(parts.len());
    for (i, part) in parts.iter().enumerate() {
        let words = if part.kind == Kind::Equal { words(part.text) } else { Vec::new() };
        if words.len() <= FOLD_ABOVE {
            out.push(*part);
            continue;
        }
        let head = if unchanged { OPENING } else { CONTEXT };
        let tail = if i + 1 == parts.len() { 0 } else { CONTEXT };
        let hidden = words.len() - head - tail;
        let start = words[head].start;
        let end = if tail == 0 { part.text.len() } else { words[words.len() - tail].start };
        out.push(Part::new(Kind::Equal, &part.text[..start]));
        out.push(Part { kind: Kind::Folded, text: &part.text[start..end], words: hidden });
        if end < part.text.len() {
            out.push(Part::new(Kind::Equal, &part.text[end..]));
        }
    }
    out
}

/// Changed or equal stretches of both token sequences.
struct Block {
    equal: bool,
    old: Range<usize>,
    new: Range<usize>,
}

/// The operations as alternating equal and changed blocks; an equal stretch without a word between two changes
/// (a space, a bracket) only chops a change into crumbs, so it counts as changed.
fn blocks(ops: &[DiffOp], old: &[&str]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::with_capacity(ops.len());
    for (i, op) in ops.iter().enumerate() {
        let crumb =
            i > 0 && i + 1 < ops.len() && old[op.old_range()].iter().all(|token| !is_word(token) && *token != "\n");
        let equal = matches!(op, DiffOp::Equal { .. }) && !crumb;
        match blocks.last_mut() {
            Some(last) if last.equal == equal => {
                last.old.end = op.old_range().end;
                last.new.end = op.new_range().end;
            }
            _ => blocks.push(Block { equal, old: op.old_range(), new: op.new_range() }),
        }
    }
    blocks
}

/// The text of the next `tokens` of `text`, which begin at byte `at`.
fn advance<'a>(text: &'a str, at: &mut usize, tokens: &[&str]) -> &'a str {
    let start = *at;
    *at += tokens.iter().map(|token| token.len()).sum::<usize>();
    &text[start..*at]
}

/// Words, single spaces-only runs without line feeds, line feeds and single other characters, end to end.
fn tokens(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let class = Class::of(first);
        let end = if class == Class::Single {
            first.len_utf8()
        } else {
            rest.find(|c| Class::of(c) != class).unwrap_or(rest.len())
        };
        let (token, tail) = rest.split_at(end);
        out.push(token);
        rest = tail;
    }
    out
}

fn words(text: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    let mut out = Vec::new();
    for token in tokens(text) {
        if is_word(token) {
            out.push(at..at + token.len());
        }
        at += token.len();
    }
    out
}

fn is_word(token: &str) -> bool {
    token.chars().next().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

#[derive(PartialEq, Eq)]
enum Class {
    Word,
    Space,
    Single,
}

impl Class {
    fn of(c: char) -> Self {
        if c == '\n' || is_unspaced(c) {
            Self::Single
        } else if c.is_alphanumeric() || c == '_' {
            Self::Word
        } else if c.is_whitespace() {
            Self::Space
        } else {
            Self::Single
        }
    }
}

/// Letters of scripts written without spaces (Thai to Khmer, kana, Han): each stands for a word.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3040}'..='\u{30FF}'
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn side(parts: &[Part<'_>], hidden: Kind) -> String {
        parts.iter().filter(|part| part.kind != hidden).map(|part| part.text).collect()
    }

    fn shown<'a>(parts: &[Part<'a>]) -> Vec<(Kind, &'a str)> {
        parts.iter().map(|part| (part.kind, part.text)).collect()
    }

    fn numbered(range: Range<usize>) -> String {
        range.map(|i| format!("word{i} ")).collect()
    }

    #[test]
    fn marks_the_words_that_differ() {
        let parts = compare("the quick brown fox", "the slow brown fox jumps");
        assert_eq!(
            shown(&parts),
            [
                (Kind::Equal, "the "),
                (Kind::Removed, "quick"),
                (Kind::Added, "slow"),
                (Kind::Equal, " brown fox"),
                (Kind::Added, " jumps"),
            ]
        );
    }

    #[test]
    fn crumbs_between_changes_join_them() {
        let parts = compare("let a.b(c) = 1", "let x.y(z) = 1");
        assert_eq!(
            shown(&parts),
            [(Kind::Equal, "let "), (Kind::Removed, "a.b(c"), (Kind::Added, "x.y(z"), (Kind::Equal, ") = 1")]
        );
    }

    #[test]
    fn han_text_is_compared_by_character() {
        let parts = compare("今日は天気がいい", "今日は気分がいい");
        assert_eq!(side(&parts, Kind::Added), "今日は天気がいい");
        assert_eq!(shown(&parts)[0], (Kind::Equal, "今日は"));
    }

    #[test]
    fn empty_and_equal_texts() {
        assert!(compare("", "").is_empty());
        assert_eq!(shown(&compare("a b", "a b")), [(Kind::Equal, "a b")]);
        assert_eq!(shown(&compare("", "a b")), [(Kind::Added, "a b")]);
        assert_eq!(shown(&compare("a b", "")), [(Kind::Removed, "a b")]);
    }

    #[test]
    fn long_equal_runs_fold_around_the_change() {
        let (before, after) = (numbered(0..100), numbered(200..300));
        let (a, b) = (format!("{before}old {after}"), format!("{before}new {after}"));
        let parts = compare(&a, &b);
        let folded = fold(&parts);
        let kinds: Vec<_> = folded.iter().map(|part| (part.kind, part.words)).collect();
        assert_eq!(
            kinds,
            [
                (Kind::Equal, 0),
                (Kind::Folded, 76),
                (Kind::Equal, 0),
                (Kind::Removed, 0),
                (Kind::Added, 0),
                (Kind::Equal, 0),
                (Kind::Folded, 88),
            ]
        );
        assert!(folded[2].text.starts_with("word88 "));
        assert_eq!(side(&folded, Kind::Added), a);
        assert_eq!(side(&folded, Kind::Removed), b);
    }

    #[test]
    fn equal_texts_show_their_opening() {
        let text = numbered(0..100);
        let folded = fold(&compare(&text, &text));
        assert_eq!(folded.len(), 2);
        assert_eq!((folded[1].kind, folded[1].words), (Kind::Folded, 60));
    }

    #[test]
    fn hopeless_texts_end_in_time() {
        // Two symbols in pseudo-random order: the hardest case for an edit-distance search.
        let noise = |mut x: u64| -> String {
            (0..200_000)
                .map(|_| {
                    x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    if x >> 40 & 1 == 0 { "a\n" } else { "b\n" }
                })
                .collect()
        };
        let (a, b) = (noise(1), noise(2));
        let start = Instant::now();
        let parts = compare(&a, &b);
        // Generous, for a machine that is busy with other things; without the guard it takes minutes.
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        assert_eq!(side(&parts, Kind::Added), a);
        assert_eq!(side(&parts, Kind::Removed), b);
    }

    proptest! {
        #[test]
        fn both_sides_can_be_read_back(a in "([a-c]{1,2}|[ .\n漢]){0,60}", b in "([a-c]{1,2}|[ .\n漢]){0,60}") {
            let parts = compare(&a, &b);
            prop_assert_eq!(side(&parts, Kind::Added), a.as_str());
            prop_assert_eq!(side(&parts, Kind::Removed), b.as_str());
            let folded = fold(&parts);
            prop_assert_eq!(side(&folded, Kind::Added), a.as_str());
            prop_assert_eq!(side(&folded, Kind::Removed), b.as_str());
        }
    }
}
