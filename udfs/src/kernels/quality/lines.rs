//! Lines, and the repetition among them.

use std::borrow::Cow;

use hashbrown::HashSet;
use xxhash_rust::xxh3::xxh3_64;

use super::char_len;
use super::chars::is_space;

/// Replaces CR LF, CR, next line, line separator and paragraph separator by LF, so that all rules treat them alike.
pub fn unify(text: &str) -> Cow<'_, str> {
    const BREAKS: [char; 4] = ['\r', '\u{85}', '\u{2028}', '\u{2029}'];
    if !BREAKS.iter().any(|&c| text.contains(c)) {
        return Cow::Borrowed(text);
    }
    let mut unified = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(BREAKS) {
        unified.push_str(&rest[..at]);
        unified.push('\n');
        let tail = &rest[at..];
        let width = if tail.starts_with("\r\n") { 2 } else { tail.chars().next().map_or(0, char::len_utf8) };
        rest = &tail[width..];
    }
    unified.push_str(rest);
    Cow::Owned(unified)
}

/// Whether a line separates paragraphs, that is, is empty or only white space.
pub fn is_blank(line: &str) -> bool {
    line.chars().all(is_space)
}

/// Iterates over the lines of `text`, split at every line boundary that Unicode and Python know: LF, CR, CR LF, vertical tab,
/// form feed, U+001C to U+001E, next line, line separator, paragraph separator. A boundary at the end does not start another
/// line, so the empty text has none.
pub fn lines(text: &str) -> Lines<'_> {
    Lines { rest: text }
}

/// Iterator of [`lines`].
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let bytes = self.rest.as_bytes();
        let (end, width) =
            (0..bytes.len()).find_map(|i| boundary(&bytes[i..]).map(|width| (i, width))).unwrap_or((bytes.len(), 0));
        let line = &self.rest[..end];
        self.rest = &self.rest[end + width..];
        Some(line)
    }
}

/// Length in bytes of the line boundary at the start of `bytes`, if there is one.
fn boundary(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b' '..=0x7f, ..] => None,
        [b'\r', b'\n', ..] => Some(2),
        [b'\n' | b'\r' | 0x0b | 0x0c | 0x1c..=0x1e, ..] => Some(1),
        [0xc2, 0x85, ..] => Some(2),
        [0xe2, 0x80, 0xa8 | 0xa9, ..] => Some(3),
        _ => None,
    }
}

/// Counts how many elements of a sequence repeat an earlier one. Elements are compared by a 64-bit hash.
#[derive(Debug, Default)]
pub struct Repeats {
    seen: HashSet<u64>,
    /// Elements seen.
    pub elements: u64,
    /// Elements equal to an earlier one.
    pub repeated: u64,
    /// Characters in repeated elements.
    pub repeated_chars: u64,
}

impl Repeats {
    /// Counts one element.
    pub fn add(&mut self, element: &str) {
        self.elements += 1;
        if !self.seen.insert(xxh3_64(element.as_bytes())) {
            self.repeated += 1;
            self.repeated_chars += char_len(element);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_every_boundary() {
        let found = |text| lines(text).collect::<Vec<_>>();
        assert_eq!(found(""), Vec::<&str>::new());
        assert_eq!(found("a"), ["a"]);
        assert_eq!(found("a\n"), ["a"]);
        assert_eq!(found("a\n\nb\r\nc\rd"), ["a", "", "b", "c", "d"]);
        assert_eq!(found("a\u{b}b\u{c}c\u{1c}d\u{85}e\u{2028}f\u{2029}g"), ["a", "b", "c", "d", "e", "f", "g"]);
        assert_eq!(found("é\u{2027}…\nü"), ["é\u{2027}…", "ü"]);
    }

    #[test]
    fn unifies_line_breaks() {
        assert!(matches!(unify("a\nb\u{c}c…©"), Cow::Borrowed(_)));
        assert_eq!(unify("a\r\nb\rc\r\r\nd\u{85}e\u{2028}f\u{2029}\r"), "a\nb\nc\n\nd\ne\nf\n\n");
        assert!(is_blank("") && is_blank(" \t\u{3000}") && !is_blank(" a"));
    }

    #[test]
    fn counts_repeats() {
        let mut r = Repeats::default();
        for e in ["a", "é", "é", "é", "b"] {
            r.add(e);
        }
        assert_eq!((r.elements, r.repeated, r.repeated_chars), (5, 2, 2));
    }
}
