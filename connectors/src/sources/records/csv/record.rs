//! Parses a CSV record into fields.
//!
//! A field is quoted if it starts with the quote; it ends with the next quote that is neither doubled nor escaped. Any other
//! quote is an ordinary character. A record ends with a line feed, optionally after a carriage return, or with a carriage
//! return in a file without line feeds.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memchr3};
use serde::{Deserialize, Serialize};

use super::super::error::Defect;

/// Special characters of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dialect {
    pub delimiter: u8,
    pub quote: Option<u8>,
    /// The escape character within quotes, if it is not the quote itself.
    pub escape: Option<u8>,
    pub comment: Option<u8>,
    /// Whether carriage returns end records.
    pub carriage_returns: bool,
}

/// A field: its place without the quotes around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    pub start: usize,
    pub end: usize,
    pub quoted: bool,
    /// Whether quotes within it are doubled or escaped.
    pub escaped: bool,
}

/// What starts at a position of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// A record, from there to `end`; what follows begins at `next`.
    Record { end: usize, next: usize },
    /// A record that breaks the rules of quoting.
    Broken { end: usize, next: usize, defect: Defect },
    /// A line without anything in it.
    Blank { next: usize },
    /// A comment.
    Comment { next: usize },
    /// More data is needed to tell.
    More,
    /// Nothing.
    End,
}

/// Number of bytes of a field that are examined one by one.
const SHORT: usize = 16;

enum Stop {
    Delimiter(usize),
    /// The record ends, and where the next begins.
    Record(usize, usize),
}

impl Dialect {
    /// The record at `start`; its fields replace `fields`. `last` says that nothing follows `bytes`.
    pub(crate) fn next(&self, bytes: &[u8], start: usize, last: bool, fields: &mut Vec<Field>) -> Next {
        fields.clear();
        let mut at = start;
        if at >= bytes.len() {
            return if last { Next::End } else { Next::More };
        }
        let mut defect = None;
        if self.comment.is_some() && bytes.get(at).copied() == self.comment {
            let rest = bytes.get(at..).unwrap_or_default();
            let end = if self.carriage_returns { memchr2(b'\n', b'\r', rest) } else { memchr(b'\n', rest) };
            return match end {
                Some(end) => Next::Comment { next: at + end + 1 },
                None if last => Next::Comment { next: bytes.len() },
                None => Next::More,
            };
        }
        loop {
            let quoted = self.quote.is_some() && bytes.get(at).copied() == self.quote;
            let stop = if quoted {
                let Some((close, escaped)) = self.close(bytes, at + 1) else {
                    if !last {
                        return Next::More;
                    }
                    let end = bytes.len();
                    return Next::Broken { end, next: end, defect: Defect::record(0, "a quote is never closed") };
                };
                // Whether the quote is doubled shows only with what follows.
                if close + 1 == bytes.len() && !last {
                    return Next::More;
                }
                fields.push(Field { start: at + 1, end: close, quoted, escaped });
                let Some(stop) = self.stop(bytes, close + 1, last, &mut defect) else { return Next::More };
                let (Stop::Delimiter(end) | Stop::Record(end, _)) = stop;
                if end > close + 1 {
                    defect.get_or_insert_with(|| Defect::record(0, "text follows a closing quote"));
                }
                stop
            } else {
                let Some(stop) = self.stop(bytes, at, last, &mut defect) else { return Next::More };
                let (Stop::Delimiter(end) | Stop::Record(end, _)) = stop;
                fields.push(Field { start: at, end, quoted: false, escaped: false });
                stop
            };
            match stop {
                Stop::Delimiter(end) => at = end + 1,
                Stop::Record(end, next) => {
                    return match defect {
                        Some(defect) => Next::Broken { end, next, defect },
                        None if end == start => Next::Blank { next },
                        None => Next::Record { end, next },
                    };
                }
            }
        }
    }

    /// The closing quote of a field whose content begins at `from`, and whether there are escapes before it.
    pub(super) fn close(&self, bytes: &[u8], from: usize) -> Option<(usize, bool)> {
        let quote = self.quote?;
        let mut at = from;
        let mut escaped = false;
        loop {
            let rest = bytes.get(at..)?;
            match self.escape.filter(|&escape| escape != quote) {
                Some(escape) => {
                    let found = at + memchr2(quote, escape, rest)?;
                    if bytes.get(found) == Some(&quote) {
                        return Some((found, escaped));
                    }
                    escaped = true;
                    at = found + 2;
                }
                None => {
                    let found = at + memchr(quote, rest)?;
                    if bytes.get(found + 1) != Some(&quote) {
                        return Some((found, escaped));
                    }
                    escaped = true;
                    at = found + 2;
                }
            }
        }
    }

    /// The end of an unquoted field; `None` when it is not in memory.
    fn stop(&self, bytes: &[u8], from: usize, last: bool, defect: &mut Option<Defect>) -> Option<Stop> {
        let mut at = from;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            // Most fields are short: examining a few bytes is faster than setting up a search.
            let ends = |byte: &u8| *byte == self.delimiter || matches!(byte, b'\n' | b'\r');
            let found = match rest.iter().take(SHORT).position(ends) {
                Some(found) => Some(found),
                None => memchr3(self.delimiter, b'\n', b'\r', rest.get(SHORT..).unwrap_or_default())
                    .map(|found| found + SHORT),
            };
            let Some(found) = found else {
                return last.then_some(Stop::Record(bytes.len(), bytes.len()));
            };
            let place = at + found;
            match bytes.get(place) {
                Some(b'\n') => return Some(Stop::Record(place, place + 1)),
                Some(b'\r') if self.delimiter != b'\r' => match bytes.get(place + 1) {
                    Some(b'\n') => return Some(Stop::Record(place, place + 2)),
                    None if !last => return None,
                    Some(_) if !self.carriage_returns => {
                        let reason = "a carriage return outside quotes is not followed by a line feed";
                        defect.get_or_insert_with(|| Defect::record(0, reason));
                        at = place + 1;
                    }
                    _ => return Some(Stop::Record(place, place + 1)),
                },
                _ => return Some(Stop::Delimiter(place)),
            }
        }
    }

    /// The content of a field.
    pub(crate) fn content<'a>(&self, text: &'a str, field: Field) -> Cow<'a, str> {
        let raw = text.get(field.start..field.end).unwrap_or_default();
        if !field.escaped {
            return Cow::Borrowed(raw);
        }
        let mut out = String::with_capacity(raw.len());
        self.content_into(text, field, &mut out);
        Cow::Owned(out)
    }

    /// Appends the content of a field to `out`.
    pub(crate) fn content_into(&self, text: &str, field: Field, out: &mut String) {
        let mut rest = text.get(field.start..field.end).unwrap_or_default();
        let Some(quote) = self.quote.filter(|_| field.escaped) else { return out.push_str(rest) };
        let escape = self.escape.unwrap_or(quote);
        while let Some(found) = memchr(escape, rest.as_bytes()) {
            out.push_str(rest.get(..found).unwrap_or_default());
            let follows = rest.as_bytes().get(found + 1).copied();
            if follows != Some(quote) && follows != Some(escape) {
                out.push(char::from(escape));
                rest = rest.get(found + 1..).unwrap_or_default();
            } else {
                out.push(char::from(follows.unwrap_or(quote)));
                rest = rest.get(found + 2..).unwrap_or_default();
            }
        }
        out.push_str(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const PLAIN: Dialect =
        Dialect { delimiter: b',', quote: Some(b'"'), escape: None, comment: None, carriage_returns: false };

    fn read(dialect: Dialect, text: &str) -> Vec<String> {
        let mut fields = Vec::new();
        let mut at = 0;
        let mut found = Vec::new();
        loop {
            let whole = dialect.next(text.as_bytes(), at, true, &mut fields);
            // What is in memory never changes the answer.
            for cut in at..text.len() {
                let mut others = Vec::new();
                let part = dialect.next(&text.as_bytes()[..cut], at, false, &mut others);
                assert!(part == Next::More || part == whole, "{text:?} {cut} {part:?} {whole:?}");
            }
            let record = fields.iter().map(|field| {
                let content = dialect.content(text, *field);
                if field.quoted { format!("<{content}>") } else { content.into_owned() }
            });
            let record = record.collect::<Vec<_>>().join("|");
            at = match whole {
                Next::Record { next, .. } => {
                    found.push(record);
                    next
                }
                Next::Broken { next, defect, .. } => {
                    found.push(format!("! {}", defect.reason));
                    next
                }
                Next::Blank { next } => {
                    found.push("blank".to_owned());
                    next
                }
                Next::Comment { next } => next,
                Next::More => panic!("more of nothing"),
                Next::End => return found,
            };
        }
    }

    #[test]
    fn records() {
        for (text, expected) in [
            ("a,b\n1,2\n", &["a|b", "1|2"][..]),
            ("a,b\r\n1,", &["a|b", "1|"]),
            ("\"a,\"\"b\"\"\nc\",\"\"\n", &["<a,\"b\"\nc>|<>"]),
            ("5\" pipe,x\"y\"\n", &["5\" pipe|x\"y\""]),
            ("a\n\n\r\nb", &["a", "blank", "blank", "b"]),
            ("\"a\"b,c\nd,e\n", &["! text follows a closing quote", "d|e"]),
            ("a\rb\nc\n", &["! a carriage return outside quotes is not followed by a line feed", "c"]),
            ("a,\"b\nc\n", &["! a quote is never closed"]),
            ("\"a\"\r\n\"\"\"\"", &["<a>", "<\">"]),
            (",\n", &["|"]),
        ] {
            assert_eq!(read(PLAIN, text), expected, "{text:?}");
        }
        let macintosh = Dialect { carriage_returns: true, ..PLAIN };
        assert_eq!(read(macintosh, "a,b\r1,\"x\ry\"\r"), ["a|b", "1|<x\ry>"]);
        let backslash = Dialect { escape: Some(b'\\'), comment: Some(b'#'), ..PLAIN };
        assert_eq!(read(backslash, "#c,\"\n\"a\\\"b\\\\c\\d\",e\n"), ["<a\"b\\c\\d>|e"]);
        assert_eq!(read(Dialect { quote: None, ..PLAIN }, "\"a,b\"\n"), ["\"a|b\""]);
    }
}
