//! Character classes used by the published filters.

/// White space: the Unicode property, plus the four ASCII separators U+001C to U+001F, which Python (and so every
/// published filter) also splits at.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `text` without white space at both ends.
pub fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Marks that end a sentence in some script: Unicode `Sentence_Terminal` as FineWeb's line-punctuation rule uses it, with
/// three additional Khmer signs.
pub fn ends_sentence(c: char) -> bool {
    const RANGES: [(u32, u32); 77] = [
        (0x589, 0x589),
        (0x61d, 0x61f),
        (0x6d4, 0x6d4),
        (0x700, 0x702),
        (0x7f9, 0x7f9),
        (0x837, 0x837),
        (0x839, 0x839),
        (0x83d, 0x83e),
        (0x964, 0x965),
        (0x104a, 0x104b),
        (0x1362, 0x1362),
        (0x1367, 0x1368),
        (0x166e, 0x166e),
        (0x1735, 0x1736),
        (0x17d4, 0x17d6),
        (0x17d9, 0x17da),
        (0x1803, 0x1803),
        (0x1809, 0x1809),
        (0x1944, 0x1945),
        (0x1aa8, 0x1aab),
        (0x1b5a, 0x1b5b),
        (0x1b5e, 0x1b5f),
        (0x1b7d, 0x1b7e),
        (0x1c3b, 0x1c3c),
        (0x1c7e, 0x1c7f),
        (0x203c, 0x203d),
        (0x2047, 0x2049),
        (0x2e2e, 0x2e2e),
        (0x2e3c, 0x2e3c),
        (0x2e53, 0x2e54),
        (0x3002, 0x3002),
        (0xa4ff, 0xa4ff),
        (0xa60e, 0xa60f),
        (0xa6f3, 0xa6f3),
        (0xa6f7, 0xa6f7),
        (0xa876, 0xa877),
        (0xa8ce, 0xa8cf),
        (0xa92f, 0xa92f),
        (0xa9c8, 0xa9c9),
        (0xaa5d, 0xaa5f),
        (0xaaf0, 0xaaf1),
        (0xabeb, 0xabeb),
        (0xfe52, 0xfe52),
        (0xfe56, 0xfe57),
        (0xff01, 0xff01),
        (0xff0e, 0xff0e),
        (0xff1f, 0xff1f),
        (0xff61, 0xff61),
        (0x10a56, 0x10a57),
        (0x10f55, 0x10f59),
        (0x10f86, 0x10f89),
        (0x11047, 0x11048),
        (0x110be, 0x110c1),
        (0x11141, 0x11143),
        (0x111c5, 0x111c6),
        (0x111cd, 0x111cd),
        (0x111de, 0x111df),
        (0x11238, 0x11239),
        (0x1123b, 0x1123c),
        (0x112a9, 0x112a9),
        (0x1144b, 0x1144c),
        (0x115c2, 0x115c3),
        (0x115c9, 0x115d7),
        (0x11641, 0x11642),
        (0x1173c, 0x1173e),
        (0x11944, 0x11944),
        (0x11946, 0x11946),
        (0x11a42, 0x11a43),
        (0x11a9b, 0x11a9c),
        (0x11c41, 0x11c42),
        (0x11ef7, 0x11ef8),
        (0x11f43, 0x11f44),
        (0x16a6e, 0x16a6f),
        (0x16af5, 0x16af5),
        (0x16b37, 0x16b38),
        (0x16b44, 0x16b44),
        (0x16e98, 0x16e98),
    ];
    match c {
        '.' | '!' | '?' | '\u{1bc9f}' | '\u{1da88}' => true,
        c if c < '\u{589}' => false,
        c => RANGES.binary_search_by(|&(lo, hi)| position(lo, hi, c as u32)).is_ok(),
    }
}

fn position(lo: u32, hi: u32, c: u32) -> std::cmp::Ordering {
    use std::cmp::Ordering::{Equal, Greater, Less};
    if c < lo {
        Greater
    } else if c > hi {
        Less
    } else {
        Equal
    }
}

/// Symbols: in the Gopher rules, a word that consists of symbols only does not count. They are ASCII punctuation, control
/// characters, common punctuation of other scripts, and every mark that ends a sentence.
pub fn is_symbol(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_punctuation() || c.is_ascii_control();
    }
    match c {
        '\u{80}'..='\u{9f}' | '«' | '´' | '»' | '–' | '—' | '’' | '“'..='„' | '…' | '∶' | '━' | '►' | '、' | '。' => {
            true
        }
        '〈'..='」' | '【' | '】' | '！' | '％' | '（' | '）' | '，' | '．' | '１' | '：' | '；' | '？' | '～' => {
            true
        }
        c => ends_sentence(c),
    }
}

/// Punctuation (general category P), exact for ASCII and for the blocks with punctuation in actual use.
pub fn is_punctuation(c: char) -> bool {
    match c {
        '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~' => false,
        c if c.is_ascii() => c.is_ascii_punctuation(),
        '¡' | '§' | '«' | '¶' | '·' | '»' | '¿' => true,
        '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{2043}' | '\u{2045}'..='\u{2051}' | '\u{2053}'..='\u{205e}' => true,
        '\u{2e00}'..='\u{2e5d}' | '、'..='〃' | '〈'..='】' | '〔'..='〟' | '\u{fe30}'..='\u{fe61}' => true,
        '，' | '：' | '；' | '（' | '）' | '［' | '］' | '｛' | '｝' | '､' | '･' | '؛' | '،' | '٪' => {
            true
        }
        c => ends_sentence(c),
    }
}

/// Pictographs, arrows, dingbats and the like: the blocks of category So that occur in running text.
pub fn is_icon(c: char) -> bool {
    matches!(c,
        '¦' | '©' | '®' | '°'
        | '\u{2100}' | '\u{2101}' | '\u{2103}'..='\u{2106}' | '\u{2116}' | '\u{2117}' | '\u{211e}'..='\u{2123}'
        | '\u{2195}'..='\u{2199}' | '\u{219c}'..='\u{21d1}' | '\u{21d5}'..='\u{21f3}'
        | '\u{2300}'..='\u{2307}' | '\u{230c}'..='\u{23db}' | '\u{23e2}'..='\u{2426}' | '\u{249c}'..='\u{24e9}'
        | '\u{2500}'..='\u{25b6}' | '\u{25b8}'..='\u{25c0}' | '\u{25c2}'..='\u{25f7}' | '\u{2600}'..='\u{266e}'
        | '\u{2670}'..='\u{2767}' | '\u{2794}'..='\u{27bf}' | '\u{2800}'..='\u{28ff}' | '\u{2b00}'..='\u{2bff}'
        | '\u{3200}'..='\u{321e}' | '\u{3260}'..='\u{327f}' | '\u{32c0}'..='\u{33ff}' | '\u{fffc}' | '\u{fffd}'
        | '\u{1f000}'..='\u{1faff}')
        && !matches!(c, '\u{21d2}' | '\u{21d4}' | '\u{1f3fb}'..='\u{1f3ff}')
}

/// Quotation marks, brackets, dashes and other non-ASCII marks that stand at the edge of a word without belonging to
/// it.
pub fn is_edge_mark(c: char) -> bool {
    matches!(c, '…' | '¿' | '؟' | '¡' | '。' | '？' | '！' | '，' | '、' | '；' | '：' | '～' | '·' | '।' | '،' | '۔')
        || matches!(c, '؛' | '٪' | '”' | '“' | '‘' | '´' | '’' | '‚' | '„' | '»' | '«' | '「' | '」' | '『' | '』')
        || matches!(c, '（' | '）' | '〔' | '〕' | '【' | '】' | '《' | '》' | '〈' | '〉' | '⟦' | '⟧' | '—' | '–')
        || is_icon(c)
}

/// Signs of currencies other than the dollar.
pub fn is_currency(c: char) -> bool {
    matches!(c, '£' | '€' | '¥' | '฿' | '﷼' | '\u{20a0}'..='\u{20bf}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentence_marks() {
        for c in ['.', '!', '?', '。', '！', '؟', '।', '\u{1da88}', '\u{16e98}', '\u{589}'] {
            assert!(ends_sentence(c), "{c}");
        }
        for c in [',', ';', ':', '"', 'a', '\u{588}', '…', '\u{2024}', '\u{10ffff}'] {
            assert!(!ends_sentence(c), "{c}");
        }
    }

    #[test]
    fn classes() {
        assert!((0x21..0x7fu8).map(char::from).filter(|c| !c.is_ascii_alphanumeric()).all(is_symbol));
        assert!(!is_symbol('a') && !is_symbol('7') && !is_symbol('é') && is_symbol('…') && is_symbol('»'));
        assert!(is_punctuation('"') && is_punctuation('—') && !is_punctuation('$') && !is_punctuation('a'));
        assert!(is_icon('→') || is_icon('✔'));
        assert!(is_edge_mark('“') && is_edge_mark('🎉') && !is_edge_mark('é'));
        assert!(is_space('\u{1d}') && is_space('\u{a0}') && !is_space('\u{200b}'));
        assert_eq!(trim("\u{1c} a b\u{2003}\n"), "a b");
    }
}
