//! Words of a piece of text whose characters depend on their neighbours: marks, joiners, clusters.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
use unicode_segmentation::UnicodeSegmentation;

use super::table::{Class, WordTable};

/// Normalises and splits pieces, reusing its buffers.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    folded: String,
    normal: String,
}

impl Pieces {
    /// Calls `found` with a text and the range of a word in it, for every word of the piece in order. If `symbols` is set,
    /// symbols are included and case is kept; otherwise symbols are dropped and case is folded.
    pub(super) fn for_each(&mut self, piece: &str, symbols: bool, found: impl FnMut(&str, usize, usize)) {
        split(self.normalized(piece, !symbols), symbols, found);
    }

    /// Returns the piece in NFC without ignored characters, case-folded if `fold` is set.
    fn normalized<'a>(&'a mut self, piece: &'a str, fold: bool) -> &'a str {
        let table = WordTable::get();
        let (mut folds, mut ignored, mut composes, mut last) = (false, false, false, false);
        for c in piece.chars() {
            let flags = table.flags(c);
            folds |= flags.folds();
            ignored |= flags.class() == Class::Ignored;
            composes |= flags.composes() || (last && flags.reorders());
            last = flags.reorders();
        }
        let folds = folds && fold;
        if !folds && !ignored && !composes {
            return piece;
        }
        let seen = piece.chars().filter(|&c| table.flags(c).class() != Class::Ignored);
        self.normal.clear();
        if folds {
            // Decomposition comes first: a folded iota subscript is a letter, and moves no more among marks (Unicode 3.13, D145).
            self.folded.clear();
            for c in seen.nfd() {
                if table.flags(c).folds() { self.folded.push_str(table.folded(c)) } else { self.folded.push(c) }
            }
            self.normal.extend(self.folded.nfc());
        } else if is_nfc_quick(seen.clone()) == IsNormalized::Yes {
            self.normal.extend(seen);
        } else {
            self.normal.extend(seen.nfc());
        }
        &self.normal
    }
}

fn split(text: &str, symbols: bool, mut found: impl FnMut(&str, usize, usize)) {
    let table = WordTable::get();
    let class = |c| table.flags(c).class();
    let attached = |text: &str| text.find(|c| !table.flags(c).attaches()).unwrap_or(text.len());
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let first = c.len_utf8();
        let is_symbol = class(c) == Class::Symbol;
        // Marks that follow nothing start a word, as letters do; marks after a symbol belong to it.
        let length = match class(c) {
            Class::Space | Class::Attached | Class::Ignored => {
                at += first;
                continue;
            }
            Class::Letter | Class::Mark | Class::Linker => {
                rest.find(|c| class(c) != Class::Letter && !table.flags(c).attaches()).unwrap_or(rest.len())
            }
            Class::Solo => {
                let end = first + attached(&rest[first..]);
                if rest[first..end].chars().any(|c| class(c) == Class::Linker) { end.max(cluster(rest)) } else { end }
            }
            Class::Symbol => first + symbol_rest(rest, first),
        };
        let length = length + attached(&rest[length..]);
        if symbols || !is_symbol {
            found(text, at, at + length);
        }
        at += length;
    }
}

/// Number of bytes in the grapheme cluster at the start of a text that follow its first character, which has `first` bytes.
fn symbol_rest(text: &str, first: usize) -> usize {
    let table = WordTable::get();
    match text[first..].chars().next() {
        Some(next) if table.flags(next).is_hard() => {
            let within = &text[first..cluster(text)];
            // A cluster may continue with letters, for example after an Arabic number sign. Those are words.
            let is_word = |c| matches!(table.flags(c).class(), Class::Letter | Class::Solo | Class::Space);
            within.find(is_word).unwrap_or(within.len())
        }
        _ => 0,
    }
}

/// Length in bytes of the grapheme cluster at the start of a text.
fn cluster(text: &str) -> usize {
    text.graphemes(true).next().map_or(0, str::len)
}
