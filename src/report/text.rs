//! Untrusted text made safe to show: control characters visible, lengths bounded.

use std::borrow::Cow;

/// `text` with every character that could steer a terminal or a page replaced by a visible sign.
///
/// Control characters become their Unicode control pictures (`ESC` is shown as `␛`), except line feed and tab;
/// C1 controls, bidirectional overrides and noncharacters become U+FFFD. One character stays one character.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| picture(c) == c) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().map(picture).collect())
    }
}

/// [`printable`] on one line: line feeds and tabs become pictures as well.
pub fn one_line(text: &str) -> Cow<'_, str> {
    let text = printable(text);
    if text.contains(['\n', '\t']) {
        Cow::Owned(text.replace('\n', "\u{240A}").replace('\t', "\u{2409}"))
    } else {
        text
    }
}

/// The first `max` characters of `text`, the last of them `…` where something was cut.
pub fn ellipsis(text: &str, max: usize) -> Cow<'_, str> {
    if text.chars().nth(max).is_none() {
        return Cow::Borrowed(text);
    }
    let mut short = prefix(text, max.saturating_sub(1)).to_owned();
    short.push('…');
    Cow::Owned(short)
}

/// The last `max` characters of `text`, the first of them `…` where something was cut.
pub fn tail(text: &str, max: usize) -> Cow<'_, str> {
    let cut = text.chars().count().saturating_sub(max);
    if cut == 0 {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().skip(cut + 1).fold("…".to_owned(), |mut tail, c| {
        tail.push(c);
        tail
    }))
}

/// The first `chars` characters of `text`.
pub fn prefix(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(end, _)| &text[..end])
}

fn picture(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        '\u{0}'..='\u{1F}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{FFFD}'),
        '\u{7F}' => '\u{2421}',
        '\u{80}'..='\u{9F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FFFE}' | '\u{FFFF}' => '\u{FFFD}',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_keep_the_end() {
        assert_eq!((tail("abc", 3), tail("abcd", 3), tail("", 3)), ("abc".into(), "…cd".into(), "".into()));
    }

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(printable("a\u{1b}[31mb\r\n\tc\u{0}\u{7f}"), "a␛[31mb␍\n\tc␀␡");
        assert_eq!(printable("\u{202E}evil\u{9b}"), "\u{FFFD}evil\u{FFFD}");
        assert!(matches!(printable("plain ünïcode 漢字\n"), Cow::Borrowed(_)));
        assert_eq!(one_line("a\nb\tc"), "a␊b␉c");
    }

    #[test]
    fn cuts_count_characters() {
        assert_eq!(ellipsis("漢字かな", 4), "漢字かな");
        assert_eq!(ellipsis("漢字かなx", 4), "漢字か…");
        assert_eq!(ellipsis("", 0), "");
        assert_eq!(prefix("漢字かな", 2), "漢字");
        assert_eq!(prefix("ab", 9), "ab");
    }
}
