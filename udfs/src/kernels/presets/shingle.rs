//! n-grams as slices of a normalised text, without copying.

use std::iter::once;

/// The n-grams of units separated by single spaces. Two consecutive spaces enclose an empty unit.
pub fn words(text: &str, n: usize) -> impl Iterator<Item = &str> {
    let starts = once(0).chain(text.match_indices(' ').map(|(i, _)| i + 1));
    let ends = text.match_indices(' ').map(|(i, _)| i).chain(once(text.len())).skip(n.saturating_sub(1));
    starts.zip(ends).map(|(start, end)| &text[start..end])
}

/// The n-grams of the characters.
pub fn chars(text: &str, n: usize) -> impl Iterator<Item = &str> {
    let starts = text.char_indices().map(|(i, _)| i);
    let ends = text.char_indices().map(|(i, c)| i + c.len_utf8()).skip(n.saturating_sub(1));
    starts.zip(ends).map(|(start, end)| &text[start..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn equals_joined_windows(text in "[ab é]{0,40}", n in 1_usize..7) {
            let units: Vec<&str> = text.split(' ').collect();
            let joined: Vec<String> = units.windows(n).map(|w| w.join(" ")).collect();
            prop_assert_eq!(words(&text, n).collect::<Vec<_>>(), joined);
            let units: Vec<char> = text.chars().collect();
            let joined: Vec<String> = units.windows(n).map(|w| w.iter().collect()).collect();
            prop_assert_eq!(chars(&text, n).collect::<Vec<_>>(), joined);
        }
    }
}
