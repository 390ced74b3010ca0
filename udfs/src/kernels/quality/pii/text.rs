//! Examines the text around a match.

/// Letters and digits of scripts written with spaces. Others are excluded, so that an address does not absorb adjacent text
/// without a space.
pub fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || ('\u{aa}'..'\u{530}').contains(&c) && c.is_alphanumeric()
}

/// Name characters and `_`.
pub fn is_word_char(c: char) -> bool {
    is_name_char(c) || c == '_'
}

/// The character before byte `at`.
pub fn char_before(text: &str, at: usize) -> Option<char> {
    text[..at].chars().next_back()
}

/// The character at byte `at`.
pub fn char_after(text: &str, at: usize) -> Option<char> {
    text.get(at..)?.chars().next()
}

/// Whether `word` occurs in `list`, which is separated by spaces.
pub fn is_listed(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

/// Number of bytes around a match in which words are searched.
const REACH: usize = 48;

/// Words before byte `at` on its line, nearest first: runs of letters, in lower case.
pub fn words_before(text: &str, at: usize) -> impl Iterator<Item = String> {
    let from = text.ceil_char_boundary(at.saturating_sub(REACH));
    let near = text[from..at].rsplit(['\n', '\r']).next().unwrap_or_default();
    near.rsplit(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()).map(str::to_lowercase)
}

/// Words after byte `at` on its line, nearest first.
pub fn words_after(text: &str, at: usize) -> impl Iterator<Item = String> {
    let to = text.floor_char_boundary(text.len().min(at + REACH));
    let near = text[at..to].split(['\n', '\r']).next().unwrap_or_default();
    near.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()).map(str::to_lowercase)
}
