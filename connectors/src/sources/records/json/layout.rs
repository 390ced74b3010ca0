//! Detects how records are laid out in a JSON file.

use super::super::error::Defect;
use super::super::options::JsonLayout;
use super::cursor::{Cursor, line_end};

/// Number of lines that are examined.
const LINES: usize = 1000;

/// The layout that the beginning of a file shows: one record per line, unless the file starts with an array, a value spans
/// several lines, or a line has several values.
pub(crate) fn find(head: &str) -> JsonLayout {
    let mut start = 0;
    for line in 0..LINES {
        let mut cursor = Cursor::new(head.get(start..).unwrap_or_default());
        let Ok(first) = cursor.peek() else { break };
        if line == 0 && first == b'[' {
            return JsonLayout::Document;
        }
        let begin = start + cursor.at();
        let end = line_end(head.as_bytes(), begin).unwrap_or(head.len());
        let value = if first == b'{' { cursor.skip(true) } else { Err(Defect::record(0, "")) };
        let stop = start + cursor.at();
        match value {
            Ok(()) if stop > end => return JsonLayout::Document,
            Ok(()) => {
                let rest = head.get(stop..end).unwrap_or_default().trim_start();
                if line == 0 && rest.starts_with(['{', '[', ',']) {
                    return JsonLayout::Document;
                }
            }
            // Valid as far as it was examined, over several lines.
            Err(defect) if defect.truncated && end < head.trim_end().len() => return JsonLayout::Document,
            Err(_) => {}
        }
        start = end + 1;
    }
    JsonLayout::Lines
}

/// Splits a document into records: consecutive values, and the items of arrays.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    /// Whether the position is within an array, and if so, whether an item came before.
    array: Option<bool>,
}

/// What is next in a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Element {
    /// A record, from `start` to `end`.
    Record { start: usize, end: usize },
    /// More data is needed to tell.
    More,
    /// Nothing but white space.
    End,
}

impl Documents {
    /// The record that begins at or after `at`. `last` says that nothing follows `text`.
    pub(crate) fn next(&mut self, text: &str, at: usize, last: bool) -> Result<Element, Defect> {
        let part = text.get(at..).unwrap_or_default();
        let mut cursor = Cursor::new(part);
        // Keep the state until the record is known to be in memory.
        let mut array = self.array;
        let more = |defect: Defect| if last { Err(Defect { at: at + defect.at, ..defect }) } else { Ok(Element::More) };
        loop {
            let Ok(first) = cursor.peek() else {
                return match (last, array) {
                    (false, _) => Ok(Element::More),
                    (true, None) => {
                        self.array = None;
                        Ok(Element::End)
                    }
                    (true, Some(_)) => Err(Defect::record(text.len(), "the array is never closed")),
                };
            };
            match (array, first) {
                (None, b'[') => {
                    cursor.at += 1;
                    array = Some(false);
                    continue;
                }
                (Some(_), b']') => {
                    cursor.at += 1;
                    array = None;
                    continue;
                }
                (Some(true), b',') => {
                    cursor.at += 1;
                    match cursor.peek() {
                        Err(defect) => return more(defect),
                        Ok(b']') => return Err(Defect::record(at + cursor.at(), "not JSON: ',' before ']'")),
                        Ok(_) => {}
                    }
                }
                (Some(true), _) => {
                    let defect = cursor.unexpected("',' or ']'");
                    return Err(Defect { at: at + defect.at, ..defect });
                }
                _ => {}
            }
            let start = cursor.at();
            // Escapes are checked when the record is read.
            return match cursor.skip(false) {
                Err(defect) if defect.truncated => more(defect),
                Err(defect) => Err(Defect { at: at + defect.at, ..defect }),
                // A number might continue.
                Ok(()) if cursor.at() == part.len() && !last && !matches!(first, b'{' | b'[' | b'"') => {
                    Ok(Element::More)
                }
                Ok(()) => {
                    self.array = array.map(|_| true);
                    Ok(Element::Record { start: at + start, end: at + cursor.at() })
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts() {
        for (head, layout) in [
            ("{\"a\":1}\n{\"a\":2}\n", JsonLayout::Lines),
            ("\n {\"a\":1}\r\n{\"a\":2}", JsonLayout::Lines),
            ("{\"a\":1}", JsonLayout::Lines),
            ("{\"a\":\"long", JsonLayout::Lines),
            ("{\"a\": 1\n{\"a\":2}\n", JsonLayout::Lines),
            ("{\"text\":\"the wri\n{\"a\":2}\n", JsonLayout::Lines),
            ("<html>\n{\"a\":2}\n", JsonLayout::Lines),
            ("{\n \"a\": 1\n}\n", JsonLayout::Document),
            ("{\n \"a\": [\n", JsonLayout::Document),
            ("{\"a\":1}{\"a\":2}", JsonLayout::Document),
            ("[{\"a\":1}]", JsonLayout::Document),
            ("{}\n{\n \"a\": 1\n}\n", JsonLayout::Document),
            ("{}\n{\"a\": 1", JsonLayout::Lines),
            ("{}\n{\"a\": 1\n\n", JsonLayout::Lines),
            ("", JsonLayout::Lines),
        ] {
            assert_eq!(find(head), layout, "{head:?}");
        }
    }

    fn split(text: &str) -> Result<Vec<String>, Defect> {
        let mut documents = Documents::default();
        let (mut at, mut end) = (0, 0);
        let mut found = Vec::new();
        loop {
            match documents.next(&text[..end], at, end == text.len())? {
                Element::Record { start, end } => {
                    found.push(text[start..end].to_owned());
                    at = end;
                }
                Element::More => end += 1,
                Element::End => return Ok(found),
            }
        }
    }

    #[test]
    fn records_of_documents() {
        for (text, expected) in [
            (" [ {\"a\":1} , {\"b\":[1,2]}]\n", &["{\"a\":1}", "{\"b\":[1,2]}"][..]),
            ("{\n\"a\":1}{}\n[{\"c\":2}]", &["{\n\"a\":1}", "{}", "{\"c\":2}"]),
            ("[]", &[]),
            ("[1, 23 ,\"x\"]", &["1", "23", "\"x\""]),
        ] {
            assert_eq!(split(text).unwrap(), expected, "{text:?}");
        }
        for text in ["[{\"a\":1} {\"a\":2}]", "[{\"a\":1},]", "[{\"a\":1}", "{\"a\":", "]"] {
            assert!(split(text).is_err(), "{text:?}");
        }
    }
}
