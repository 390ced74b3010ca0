//! The role of every character in words, read once from the Unicode tables.

use std::sync::LazyLock;

use hashbrown::HashMap;
use unicase::UniCase;
use unicode_normalization::char::canonical_combining_class;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::kernels::chars::{CHARS, CharBytes, ranges};

/// The role of a character in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Class {
    /// Visible but not part of a word; a token of its own. Includes unassigned and private characters.
    Symbol,
    /// White space, controls and other invisible separators.
    Space,
    /// A letter, number or underscore of a script with spaces between words.
    Letter,
    /// A letter or number of a script without spaces: each is a word, with everything that attaches to it.
    Solo,
    /// A mark, or a letter written like one: part of what it follows.
    Mark,
    /// A mark that joins the letters on both sides into one cluster, in scripts without spaces.
    Linker,
    /// Invisible, but able to change what it follows: joiners, variation selectors, tags.
    Attached,
    /// Invisible and meaningless: soft hyphens, direction marks, byte order marks.
    Ignored,
}

const CLASS: u8 = 0b111;
/// The character depends on its neighbours: it may compose, reorder or join a grapheme cluster.
const HARD: u8 = 1 << 3;
/// Case folding changes the character.
const FOLDS: u8 = 1 << 4;
/// A canonical combining class other than 0, in a character that does not compose.
const REORDERS: u8 = 1 << 5;
/// The character may change by composition or join the previous one.
const COMPOSES: u8 = 1 << 6;

/// All classes except `Symbol`, which is the rest. A later one takes precedence.
const CLASSES: [(&str, Class); 7] = [
    (r"[\p{L}\p{N}_]", Class::Letter),
    // The scripts of UAX 14's classes ID, SA and AK. Letters that they share, such as the sound mark of katakana, are Common.
    (
        r"[[\p{L}\p{N}]&&[
            \p{sc=Hani}\p{sc=Hira}\p{sc=Kana}\p{sc=Bopo}\p{sc=Yiii}\p{sc=Tang}\p{sc=Nshu}\p{sc=Kits}
            \p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}\p{sc=Tale}\p{sc=Talu}\p{sc=Lana}\p{sc=Tavt}\p{sc=Ahom}
            \p{sc=Bali}\p{sc=Java}\p{sc=Batk}\p{sc=Cham}\p{sc=Kawi}\p{sc=Maka}\p{sc=Brah}\p{sc=Gran}\p{sc=Diak}
            [[\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}]--\p{scx=Latn}]
        ]]",
        Class::Solo,
    ),
    (r"[\p{M}[\p{L}&&[\p{gcb=Extend}\p{gcb=SpacingMark}]]]", Class::Mark),
    // `InCB=Linker` in the scripts of `Solo`.
    (r"[\x{1039}\x{17d2}\x{1a60}\x{1b44}\x{a9c0}\x{1193e}\x{11f42}]", Class::Linker),
    // U+200B separates words in scripts without spaces; U+2061 to U+2064 are invisible operators.
    (r"[\p{Z}\p{Cc}\x{200b}\x{2061}-\x{2064}\x{1bca0}-\x{1bca3}\x{1d173}-\x{1d17a}]", Class::Space),
    (r"[[\p{M}&&\p{DI}]\x{180e}\x{200c}\x{200d}\x{e0001}\x{e0020}-\x{e007f}]", Class::Attached),
    (r"[\x{ad}\x{61c}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2060}\x{2066}-\x{206f}\x{feff}]", Class::Ignored),
];

/// Characters that never depend on neighbours in composition or clusters, whatever the tables of other crates say.
const EASY: &str = r"[\p{Unified_Ideograph}\p{Co}\p{sc=Tang}\x{ac00}-\x{d7a3}]";
const CLUSTERS: &str =
    r"[\p{gcb=Extend}\p{gcb=SpacingMark}\p{gcb=ZWJ}\p{gcb=Prepend}\p{gcb=Regional_Indicator}\x{200c}]";

static TABLE: LazyLock<WordTable> = LazyLock::new(WordTable::build);

/// The classes of all characters, and the folded form of those that have one.
#[derive(Debug)]
pub(super) struct WordTable {
    flags: CharBytes,
    folded: HashMap<char, Box<str>>,
}

/// The table entry of one character.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flags(u8);

impl Flags {
    #[inline]
    pub(super) fn class(self) -> Class {
        match self.0 & CLASS {
            0 => Class::Symbol,
            1 => Class::Space,
            2 => Class::Letter,
            3 => Class::Solo,
            4 => Class::Mark,
            5 => Class::Linker,
            6 => Class::Attached,
            _ => Class::Ignored,
        }
    }

    /// Whether the character depends on its neighbours.
    #[inline]
    pub(super) fn is_hard(self) -> bool {
        self.0 & HARD != 0
    }

    /// Whether case folding changes the character.
    #[inline]
    pub(super) fn folds(self) -> bool {
        self.0 & FOLDS != 0
    }

    /// Whether the character may change by composition or join the previous one.
    #[inline]
    pub(super) fn composes(self) -> bool {
        self.0 & COMPOSES != 0
    }

    /// Whether the character may be reordered among combining marks.
    #[inline]
    pub(super) fn reorders(self) -> bool {
        self.0 & REORDERS != 0
    }

    /// Whether the character belongs to what it follows.
    #[inline]
    pub(super) fn attaches(self) -> bool {
        matches!(self.class(), Class::Mark | Class::Linker | Class::Attached)
    }
}

impl WordTable {
    /// The shared table, built on first use.
    pub(super) fn get() -> &'static Self {
        &TABLE
    }

    #[inline]
    pub(super) fn flags(&self, c: char) -> Flags {
        Flags(self.flags.get(c))
    }

    /// The full case folding, in NFC, of a character for which [`Flags::folds`] is true.
    pub(super) fn folded(&self, c: char) -> &str {
        self.folded.get(&c).map_or("", |folded| folded)
    }

    fn build() -> Self {
        // Assume that characters unknown to this table may be special in other tables.
        let mut all = vec![HARD | COMPOSES; CHARS];
        for range in ranges(r"\P{Cn}") {
            all[range].fill(Class::Symbol as u8);
        }
        for (pattern, class) in CLASSES {
            for range in ranges(&pattern.replace([' ', '\n'], "")) {
                all[range].iter_mut().for_each(|flags| *flags = *flags & !CLASS | class as u8);
            }
        }
        for range in ranges(CLUSTERS) {
            all[range].iter_mut().for_each(|flags| *flags |= HARD);
        }
        for at in ranges(&format!(r"[[\P{{Cn}}]--{EASY}]")).into_iter().flatten() {
            let Some(c) = u32::try_from(at).ok().and_then(char::from_u32) else { continue };
            if is_nfc_quick(std::iter::once(c)) != IsNormalized::Yes {
                all[at] |= HARD | COMPOSES;
            } else if canonical_combining_class(c) != 0 {
                all[at] |= HARD | REORDERS;
            }
            if Flags(all[at]).attaches() {
                all[at] |= HARD;
            }
        }
        let mut folded = HashMap::new();
        for at in ranges(r"\p{Changes_When_Casefolded}").into_iter().flatten() {
            let Some(c) = u32::try_from(at).ok().and_then(char::from_u32) else { continue };
            all[at] |= FOLDS;
            folded.insert(c, fold(c));
        }
        // The fast path writes the folded form unchanged, so it must consist of letters that no neighbour can change.
        for (&c, letters) in &folded {
            if letters.chars().any(|c| all[c as usize] & (CLASS | HARD) != Class::Letter as u8) {
                all[c as usize] |= HARD;
            }
        }
        Self { flags: CharBytes::new(&all), folded }
    }
}

/// Full case folding of one character, canonically decomposed before and composed after.
fn fold(c: char) -> Box<str> {
    let decomposed: String = std::iter::once(c).nfd().collect();
    UniCase::unicode(decomposed).to_folded_case().nfc().collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_classes() {
        for (pattern, class) in CLASSES {
            assert!(!ranges(&pattern.replace([' ', '\n'], "")).is_empty(), "{class:?}");
        }
        for pattern in [EASY, CLUSTERS, r"\P{Cn}", r"\p{Changes_When_Casefolded}"] {
            assert!(!ranges(pattern).is_empty(), "{pattern}");
        }
    }

    #[test]
    fn classes_of_characters() {
        let table = WordTable::get();
        for (chars, class) in [
            ("aÉßſµªʼˇ_9½²Ⅷ٣०１①ℹאعकক한ᄒԱაአ༠ཀ", Class::Letter),
            ("漢々〇かカーｶｰㄅꀀ𗀀ก๑ກកကᥐᨠꦲᬅ", Class::Solo),
            (
                "\u{301}\u{94d}\u{93f}\u{e31}\u{e48}\u{102c}\u{20e3}\u{345}\u{5b0}\u{64e}\u{3099}\u{e33}\u{ff9e}",
                Class::Mark,
            ),
            ("\u{1039}\u{17d2}\u{a9c0}", Class::Linker),
            ("\u{200c}\u{200d}\u{fe0f}\u{e0100}\u{34f}\u{180b}\u{180e}\u{e0067}", Class::Attached),
            ("\u{ad}\u{feff}\u{200e}\u{202e}\u{2060}\u{2069}", Class::Ignored),
            (" \n\t\0\u{7f}\u{a0}\u{3000}\u{200b}\u{2028}\u{2062}", Class::Space),
            ("+'’.-≠→👍🏽🇩Ⓐ་।。́\u{600}\u{e000}\u{378}\u{ffff}".trim_matches('\u{301}'), Class::Symbol),
        ] {
            for c in chars.chars().filter(|c| *c != '\u{301}' || class == Class::Mark) {
                assert_eq!(table.flags(c).class(), class, "{c:?}");
            }
        }
    }

    #[test]
    fn folding_twice_is_folding_once() {
        let table = WordTable::get();
        for (&c, once) in &table.folded {
            let twice: String = once.chars().map(|c| fold(c).into_string()).collect();
            assert_eq!(twice.nfc().collect::<String>(), **once, "{c:?}");
        }
        for (c, folded) in
            [('ß', "ss"), ('ẞ', "ss"), ('İ', "i\u{307}"), ('ς', "σ"), ('ﬁ', "fi"), ('Ꭰ', "Ꭰ"), ('K', "k")]
        {
            assert_eq!(&*fold(c), folded, "{c:?}");
        }
    }
}
