//! One value as text that cannot disturb a terminal.

use std::fmt::{self, Write};

use arrow::array::{Array, ArrayRef};
use arrow::util::display::{ArrayFormatter, DurationFormat, FormatOptions};
use unicode_width::UnicodeWidthChar;

use crate::cli::errors::Failure;

/// What a missing value looks like.
pub const NULL: &str = "NULL";

/// Characters of a value that are looked at when it must fit a terminal.
const LONGEST: usize = 4096;

/// How line breaks are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaks {
    /// As `\n`.
    Escaped,
    /// As they are.
    Kept,
}

/// Turns the values of a column into text.
pub struct Cells<'a> {
    column: &'a ArrayRef,
    formatter: ArrayFormatter<'a>,
    breaks: Breaks,
    longest: usize,
}

impl<'a> Cells<'a> {
    /// `whole`: values are not cut, however long they are.
    pub fn new(column: &'a ArrayRef, breaks: Breaks, whole: bool) -> Result<Self, Failure> {
        let formatter = ArrayFormatter::try_new(column.as_ref(), &OPTIONS)?;
        Ok(Self { column, formatter, breaks, longest: if whole { usize::MAX } else { LONGEST } })
    }

    /// The text of one value.
    pub fn text(&self, row: usize) -> Result<String, Failure> {
        if self.column.is_null(row) {
            return Ok(NULL.to_owned());
        }
        let mut cell = Cell { text: String::new(), left: self.longest, breaks: self.breaks };
        self.formatter.value(row).write(&mut cell)?;
        Ok(cell.text)
    }
}

static OPTIONS: FormatOptions<'static> =
    FormatOptions::new().with_display_error(true).with_null(NULL).with_duration_format(DurationFormat::Pretty);

struct Cell {
    text: String,
    left: usize,
    breaks: Breaks,
}

impl Write for Cell {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            match c {
                '\n' if self.breaks == Breaks::Kept => self.text.push(c),
                '\n' => self.text.push_str("\\n"),
                '\t' => self.text.push_str("\\t"),
                '\r' => self.text.push_str("\\r"),
                // Control characters, and marks that turn the direction of what follows.
                c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                    write!(self.text, "\\u{{{:x}}}", u32::from(c))?;
                }
                c => self.text.push(c),
            }
        }
        Ok(())
    }
}

/// Columns that a text takes on a terminal.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The text cut to `room` columns, with `…` at the cut.
pub fn cut(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::StringArray;

    use super::*;

    #[test]
    fn a_value_cannot_disturb_the_terminal() {
        let column: ArrayRef = Arc::new(StringArray::from(vec![Some("a\tb\nc\u{1b}[31m\u{202e}"), None, Some("")]));
        let cells = Cells::new(&column, Breaks::Escaped, true).unwrap();
        assert_eq!(cells.text(0).unwrap(), "a\\tb\\nc\\u{1b}[31m\\u{202e}");
        assert_eq!(cells.text(1).unwrap(), "NULL");
        assert_eq!(cells.text(2).unwrap(), "");
        let cells = Cells::new(&column, Breaks::Kept, true).unwrap();
        assert_eq!(cells.text(0).unwrap().lines().count(), 2);
    }

    #[test]
    fn long_values_are_not_formatted_to_their_end() {
        let column: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(LONGEST * 2)]));
        assert_eq!(Cells::new(&column, Breaks::Escaped, false).unwrap().text(0).unwrap().len(), LONGEST);
        assert_eq!(Cells::new(&column, Breaks::Escaped, true).unwrap().text(0).unwrap().len(), LONGEST * 2);
    }

    #[test]
    fn cuts_respect_wide_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        for room in 1..12 {
            assert!(width(&cut("a日b本c語d", room)) <= room);
        }
    }
}
