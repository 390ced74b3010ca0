//! A strict JSON parser (RFC 8259) that reports where and why it stopped.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memchr3};

use super::super::error::{Defect, shown};

/// Maximum nesting of objects and arrays.
pub(super) const MAX_DEPTH: usize = 200;

type Result<T> = std::result::Result<T, Defect>;

/// A place in a JSON text.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    pub(super) at: usize,
    /// Whether the text contains no line feed, so that none need be searched for.
    line: bool,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: false }
    }

    /// Starts at a record that is known to be one line, or whose strings are known to be closed.
    pub(crate) fn record(text: &'a str) -> Self {
        Self { line: true, ..Self::new(text) }
    }

    /// The next significant character within a string.
    fn special(&self, from: usize) -> Option<usize> {
        let rest = self.text.as_bytes().get(from..)?;
        let found = if self.line { memchr2(b'"', b'\\', rest) } else { memchr3(b'"', b'\\', b'\n', rest) };
        found.map(|found| from + found)
    }

    /// Bytes before the cursor.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The text read since `start`.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// The next character other than white space, without consuming it.
    pub(crate) fn peek(&mut self) -> Result<u8> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(&byte) => return Ok(byte),
                None => return Err(Defect::truncated(self.at)),
            }
        }
    }

    /// Fails unless only white space follows.
    pub(crate) fn end(&mut self) -> Result<()> {
        match self.peek() {
            Ok(_) => Err(Defect::record(self.at, format!("{} follows the end of the record", self.rest()))),
            Err(_) => Ok(()),
        }
    }

    /// Consumes `byte` or fails.
    pub(super) fn expect(&mut self, byte: u8) -> Result<()> {
        if self.peek()? == byte {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected(&format!("'{}'", char::from(byte))))
    }

    /// Consumes `byte` if it is next.
    pub(super) fn take(&mut self, byte: u8) -> Result<bool> {
        let found = self.peek()? == byte;
        self.at += usize::from(found);
        Ok(found)
    }

    pub(super) fn unexpected(&self, wanted: &str) -> Defect {
        Defect::record(self.at, format!("not JSON: expected {wanted}, found {}", self.rest()))
    }

    fn rest(&self) -> String {
        let rest = self.text.get(self.at..).unwrap_or_default();
        shown(rest.char_indices().nth(20).map_or(rest, |(end, _)| rest.get(..end).unwrap_or(rest)).trim_end())
    }

    /// Reads a string; its opening quote must be next.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>> {
        let start = self.at + 1;
        let Some(place) = self.special(start) else { return Err(Defect::truncated(self.text.len())) };
        if self.text.as_bytes().get(place) == Some(&b'"') {
            self.at = place + 1;
            return Ok(Cow::Borrowed(self.text.get(start..place).unwrap_or_default()));
        }
        let mut out = String::new();
        self.string_into(&mut out)?;
        Ok(Cow::Owned(out))
    }

    /// Appends a string, whose opening quote must be next, to `out`. On an error, part of it may have been appended.
    pub(super) fn string_into(&mut self, out: &mut String) -> Result<()> {
        let mut from = self.at + 1;
        loop {
            let Some(place) = self.special(from) else { return Err(Defect::truncated(self.text.len())) };
            out.push_str(self.text.get(from..place).unwrap_or_default());
            match self.text.as_bytes().get(place) {
                Some(b'"') => {
                    self.at = place + 1;
                    return Ok(());
                }
                Some(b'\\') => match self.text.as_bytes().get(place + 1).copied().and_then(plain) {
                    Some(character) => {
                        out.push(character);
                        from = place + 2;
                    }
                    None => {
                        let (character, next) = self.escape(place)?;
                        out.push(character);
                        from = next;
                    }
                },
                _ => return Err(Defect::record(place, "not JSON: a line ends within a string")),
            }
        }
    }

    /// Skips a string; `strict` checks its escapes.
    fn skip_string(&mut self, strict: bool) -> Result<()> {
        let mut from = self.at + 1;
        loop {
            let Some(place) = self.special(from) else { return Err(Defect::truncated(self.text.len())) };
            match self.text.as_bytes().get(place) {
                Some(b'"') => {
                    self.at = place + 1;
                    return Ok(());
                }
                Some(b'\\') if strict => from = self.escape(place)?.1,
                Some(b'\\') => from = place + 2,
                _ => return Err(Defect::record(place, "not JSON: a line ends within a string")),
            }
        }
    }

    /// The character of the escape at `place`, and where it ends.
    fn escape(&self, place: usize) -> Result<(char, usize)> {
        let bytes = self.text.as_bytes();
        let Some(&kind) = bytes.get(place + 1) else { return Err(Defect::truncated(bytes.len())) };
        if kind == b'u' {
            return self.unicode(place);
        }
        let Some(plain) = plain(kind) else {
            let end = self.text.get(place + 1..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            let found = self.text.get(place..place + 1 + end).unwrap_or("\\");
            return Err(Defect::record(place, format!("not JSON: {} is no escape", shown(found))));
        };
        Ok((plain, place + 2))
    }

    fn unicode(&self, place: usize) -> Result<(char, usize)> {
        let first = self.unit(place)?;
        if let Some(character) = char::from_u32(first) {
            return Ok((character, place + 6));
        }
        let lone = || Defect::value(place, format!("'\\u{first:04x}' is half of a character (a lone surrogate)"));
        if first >= 0xDC00 {
            return Err(lone());
        }
        match self.text.as_bytes().get(place + 6..place + 8) {
            Some(b"\\u") => {}
            None if self.text.len() < place + 8
                && self.text.get(place + 6..).is_none_or(|rest| "\\u".starts_with(rest)) =>
            {
                return Err(Defect::truncated(self.text.len()));
            }
            _ => return Err(lone()),
        }
        let second = self.unit(place + 6)?;
        if !(0xDC00..0xE000).contains(&second) {
            return Err(lone());
        }
        let character = char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00));
        character.map(|character| (character, place + 12)).ok_or_else(lone)
    }

    fn unit(&self, place: usize) -> Result<u32> {
        let Some(digits) = self.text.as_bytes().get(place + 2..place + 6) else {
            return Err(Defect::truncated(self.text.len()));
        };
        let mut unit = 0;
        for &byte in digits {
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(Defect::record(place, "not JSON: \\u needs four hexadecimal digits"));
            };
            unit = unit * 16 + digit;
        }
        Ok(unit)
    }

    /// Reads a number, as written.
    pub(super) fn number(&mut self) -> Result<&'a str> {
        let start = self.at;
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        let digits = |from: usize| rest.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
        let mut at = usize::from(rest.first() == Some(&b'-'));
        let whole = digits(at);
        let mut good = whole == 1 || (whole > 1 && rest.get(at) != Some(&b'0'));
        at += whole;
        if good && rest.get(at) == Some(&b'.') {
            let fraction = digits(at + 1);
            good = fraction > 0;
            at += 1 + fraction;
        }
        if good && matches!(rest.get(at), Some(b'e' | b'E')) {
            at += 1 + usize::from(matches!(rest.get(at + 1), Some(b'+' | b'-')));
            let exponent = digits(at);
            good = exponent > 0;
            at += exponent;
        }
        if at >= rest.len() {
            // More digits could follow.
            self.at = start + rest.len();
            return if good { Ok(self.since(start)) } else { Err(Defect::truncated(self.at)) };
        }
        if !good || !matches!(rest.get(at), Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')) {
            return Err(self.no_value());
        }
        self.at = start + at;
        Ok(self.since(start))
    }

    /// `true`, `false` or `null`.
    pub(super) fn word(&mut self, word: &str) -> Result<()> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        if word.as_bytes().starts_with(rest) {
            return Err(Defect::truncated(self.text.len()));
        }
        Err(self.no_value())
    }

    /// Describes what is there instead of a value. Numbers that JSON does not allow are recognised by what follows them.
    fn no_value(&self) -> Defect {
        let rest = self.text.get(self.at..).unwrap_or_default();
        match self.foreign() {
            Some(length) => {
                let token = rest.get(..length).unwrap_or(rest);
                Defect::value(self.at, format!("{} is not JSON", shown(token)))
            }
            None => self.unexpected("a value"),
        }
    }

    /// Length of a token such as `NaN`, `-Infinity`, `0x1F` or `007`.
    fn foreign(&self) -> Option<usize> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let length =
            rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.' | b'_'));
        let length = length.count();
        let ends = matches!(rest.get(length), Some(b',' | b'}' | b']' | b' ' | b'\r' | b'\n' | b'\t'));
        (length > 0 && ends).then_some(length)
    }

    /// Skips a value. `strict` validates all of it; otherwise only its end is found.
    pub(crate) fn skip(&mut self, strict: bool) -> Result<()> {
        self.skip_at(strict, 0)
    }

    fn skip_at(&mut self, strict: bool, depth: usize) -> Result<()> {
        match self.peek()? {
            b'"' => self.skip_string(strict),
            open @ (b'{' | b'[') => {
                if depth >= MAX_DEPTH {
                    return Err(self.too_deep());
                }
                let close = if open == b'{' { b'}' } else { b']' };
                self.at += 1;
                if self.take(close)? {
                    return Ok(());
                }
                loop {
                    if open == b'{' {
                        self.key(strict)?;
                    }
                    self.skip_at(strict, depth + 1)?;
                    if self.take(close)? {
                        return Ok(());
                    }
                    self.comma(close)?;
                }
            }
            b't' => self.loose(strict, |cursor| cursor.word("true")),
            b'f' => self.loose(strict, |cursor| cursor.word("false")),
            b'n' => self.loose(strict, |cursor| cursor.word("null")),
            _ => self.loose(strict, |cursor| cursor.number().map(|_| ())),
        }
    }

    fn loose(&mut self, strict: bool, read: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let start = self.at;
        match read(self) {
            Err(defect) if !strict && defect.value_only => {
                self.at = start + self.foreign().unwrap_or(0);
                Ok(())
            }
            other => other,
        }
    }

    fn key(&mut self, strict: bool) -> Result<()> {
        if self.peek()? != b'"' {
            return Err(self.unexpected("a key in quotes"));
        }
        self.skip_string(strict).map_err(|defect| Defect { value_only: false, ..defect })?;
        self.expect(b':')
    }

    pub(super) fn comma(&mut self, close: u8) -> Result<()> {
        if self.take(b',')? {
            return Ok(());
        }
        Err(self.unexpected(&format!("',' or '{}'", char::from(close))))
    }

    pub(super) fn too_deep(&self) -> Defect {
        Defect::record(self.at, format!("more than {MAX_DEPTH} objects and arrays are within each other"))
    }

    /// Calls `visit` with each key of an object, with the cursor at its value. The opening brace must be next.
    pub(super) fn object(&mut self, mut visit: impl FnMut(&mut Self, &str) -> Result<()>) -> Result<()> {
        self.expect(b'{')?;
        if self.take(b'}')? {
            return Ok(());
        }
        loop {
            if self.peek()? != b'"' {
                return Err(self.unexpected("a key in quotes"));
            }
            let key = self.string().map_err(|defect| Defect { value_only: false, ..defect })?;
            self.expect(b':')?;
            self.peek()?;
            visit(self, &key)?;
            if self.take(b'}')? {
                return Ok(());
            }
            self.comma(b'}')?;
        }
    }

    /// Calls `visit` at each item of an array. The opening bracket must be next.
    pub(super) fn array(&mut self, mut visit: impl FnMut(&mut Self, usize) -> Result<()>) -> Result<()> {
        self.expect(b'[')?;
        if self.take(b']')? {
            return Ok(());
        }
        let mut place = 0;
        loop {
            self.peek()?;
            visit(self, place)?;
            place += 1;
            if self.take(b']')? {
                return Ok(());
            }
            self.comma(b']')?;
        }
    }
}

/// The name of a kind of value in messages.
pub(super) fn kind_name(first: u8) -> &'static str {
    match first {
        b'{' => "an object",
        b'[' => "an array",
        b'"' => "a string",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        _ => "a number",
    }
}

/// The end of the line that begins at `start`, without its line feed.
pub(crate) fn line_end(bytes: &[u8], start: usize) -> Option<usize> {
    memchr(b'\n', bytes.get(start..)?).map(|end| start + end)
}

/// The character of a two-byte escape, by its second byte.
#[inline]
fn plain(kind: u8) -> Option<char> {
    Some(match kind {
        b'n' => '\n',
        b'"' | b'\\' | b'/' => char::from(kind),
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn skip(text: &str, strict: bool) -> Result<usize> {
        let mut cursor = Cursor::new(text);
        cursor.skip(strict)?;
        Ok(cursor.at)
    }

    #[test]
    fn bad_json_is_named() {
        for (text, reason) in [
            ("{\"a\" 1}", "expected ':', found '1}'"),
            ("{a: 1}", "expected a key in quotes"),
            ("[1 2]", "expected ',' or ']'"),
            ("{\"a\":1,}", "expected a key in quotes"),
            ("[NaN]", "'NaN' is not JSON"),
            ("[-Infinity]", "'-Infinity' is not JSON"),
            ("[007]", "'007' is not JSON"),
            ("[1.]", "'1.' is not JSON"),
            ("[+1]", "'+1' is not JSON"),
            ("\"\\q\"", "'\\q' is no escape"),
            ("\"\\ud83d x\"", "'\\ud83d' is half of a character"),
            ("\"\\ude00\"", "'\\ude00' is half of a character"),
            ("\"\\u12g4\"", "four hexadecimal digits"),
            ("\"a\nb\"", "a line ends within a string"),
            ("<html>", "expected a value, found '<html>'"),
        ] {
            let defect = skip(text, true).unwrap_err();
            assert!(defect.reason.contains(reason), "{text}: {defect:?}");
        }
        let deep = "[".repeat(1_000_000);
        assert!(skip(&deep, true).unwrap_err().reason.contains("more than 200"));
        assert_eq!(skip("[NaN,\"\\ud83d\"]", false), Ok(14));
    }

    #[test]
    fn strings_are_unescaped() {
        let mut cursor = Cursor::new(r#""a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00z""#);
        assert_eq!(cursor.string().unwrap(), "a\"\\/\u{8}\u{c}\n\r\té😀z");
    }

    proptest! {
        #[test]
        fn as_serde_json_does(text in r#"[\[\]{}:," \\a-eu0-9.+\-tfnrsl]{0,24}"#) {
            let ours = skip(&text, true).is_ok_and(|end| text[end..].trim_matches([' ', '\n', '\r', '\t']).is_empty());
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn beginnings_are_told_from_mistakes(text in r#"[\[\]{}:," \\a-eu0-9.+\-tfnrsl]{0,24}"#) {
            if let Ok(end) = skip(&text, true) {
                for cut in (0..end).filter(|cut| text.is_char_boundary(*cut)) {
                    if let Err(defect) = skip(&text[..cut], true) {
                        prop_assert!(defect.truncated, "{} {defect:?}", &text[..cut]);
                    }
                }
            }
        }
    }
}
