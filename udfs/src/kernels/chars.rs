//! A table of character classes, read once per character.
//!
//! The classes come from the Unicode tables of `regex-syntax`, the lower-case mapping from the standard library.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

/// Letter (`L`), number (`N`) or underscore: what Python's `re` calls `\w`.
pub const WORD: u8 = 1;
/// Lower-casing changes the character.
pub const LOWERS: u8 = 1 << 1;
/// Non-spacing mark (`Mn`).
pub const MARK: u8 = 1 << 2;
/// Decimal digit (`Nd`).
pub const DIGIT: u8 = 1 << 3;
/// White space as Python's `\s` and `str.strip` see it: the Unicode property and the separators U+001C to U+001F.
pub const SPACE: u8 = 1 << 4;
/// Punctuation (`P`) and the ASCII symbols ``$ + < = > ^ ` | ~``.
pub const PUNCTUATION: u8 = 1 << 5;

const BLOCK: usize = 256;
/// One more than the last code point.
pub(super) const CHARS: usize = 0x11_0000;

static TABLE: LazyLock<CharTable> = LazyLock::new(CharTable::build);

/// One byte of flags per character.
#[derive(Debug)]
pub struct CharTable(CharBytes);

/// One byte per character, in blocks of 256. Equal blocks are stored once.
#[derive(Debug)]
pub(super) struct CharBytes {
    blocks: Box<[u16]>,
    bytes: Vec<[u8; BLOCK]>,
}

impl CharBytes {
    /// Builds the table from one byte per code point.
    pub(super) fn new(all: &[u8]) -> Self {
        let mut table = Self { blocks: vec![0; CHARS / BLOCK].into(), bytes: Vec::new() };
        for (block, chars) in table.blocks.iter_mut().zip(all.as_chunks().0) {
            let known = table.bytes.iter().position(|bytes| bytes == chars);
            let at = known.unwrap_or_else(|| {
                table.bytes.push(*chars);
                table.bytes.len() - 1
            });
            // There are 4352 blocks in all.
            *block = at as u16;
        }
        table
    }

    /// The byte of a character.
    #[inline]
    pub(super) fn get(&self, c: char) -> u8 {
        let at = c as usize;
        self.bytes[usize::from(self.blocks[at / BLOCK])][at % BLOCK]
    }
}

impl CharTable {
    /// The shared table, built on first use.
    pub fn get() -> &'static Self {
        &TABLE
    }

    /// The flags of a character.
    #[inline]
    pub fn flags(&self, c: char) -> u8 {
        self.0.get(c)
    }

    /// Whether the character has any of the flags.
    #[inline]
    pub fn is(&self, c: char, flags: u8) -> bool {
        self.flags(c) & flags != 0
    }

    fn build() -> Self {
        let mut all = vec![0; CHARS];
        for (pattern, flag) in [
            (r"[\p{L}\p{N}_]", WORD),
            (r"\p{Mn}", MARK),
            (r"\p{Nd}", DIGIT),
            (r"[\p{White_Space}\x1c-\x1f]", SPACE),
            (r"[\p{P}$+<=>^`|~]", PUNCTUATION),
        ] {
            for range in ranges(pattern) {
                all[range].iter_mut().for_each(|flags| *flags |= flag);
            }
        }
        for c in '\0'..=char::MAX {
            if c.to_lowercase().next() != Some(c) {
                all[c as usize] |= LOWERS;
            }
        }
        Self(CharBytes::new(&all))
    }
}

/// The character ranges of a class; empty if the pattern is not a character class.
pub(super) fn ranges(class: &str) -> Vec<std::ops::RangeInclusive<usize>> {
    match regex_syntax::parse(class).map(regex_syntax::hir::Hir::into_kind) {
        Ok(HirKind::Class(Class::Unicode(class))) => {
            class.iter().map(|range| range.start() as usize..=range.end() as usize).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn every_character_agrees_with_its_class() {
        let classes = [
            (r"^[\p{L}\p{N}_]$", WORD),
            (r"^\p{Mn}$", MARK),
            (r"^\p{Nd}$", DIGIT),
            (r"^[\s\x1c-\x1f]$", SPACE),
            (r"^[\p{P}[:punct:]]$", PUNCTUATION),
        ]
        .map(|(pattern, flag)| (Regex::new(pattern).unwrap(), flag));
        let table = CharTable::get();
        for c in '\0'..=char::MAX {
            let text = c.to_string();
            for (class, flag) in &classes {
                assert_eq!(table.is(c, *flag), class.is_match(&text), "{c:?} and {class}");
            }
            assert_eq!(table.is(c, LOWERS), text.to_lowercase() != text, "{c:?}");
        }
    }
}
