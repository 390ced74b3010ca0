//! Functions of texts: patterns, paths, words, quality.

use limpid_udfs::kernels::shingler::{Shingler, Unit};

use crate::engine::{literal, run};

pub(crate) const REGEX: &[&str] = &["(a+)b\naab", "(?i)\\bß\\b\nß SS", "(?P<x>.)\\1\naa", "[\\p{Greek}&&[^α]]*\nαβγ"];
pub(crate) const JSON_PATH: &[&str] =
    &["$.a.b[0]\n{\"a\": {\"b\": [1.50]}}", "/a~1b/0\n{\"a/b\": [null]}", "$[-1]\n[1, [2]]", "a\n{\"a\": \"\\u00eb\"}"];
pub(crate) const TEXTS: &[&str] = &[
    "Write to ann@example.com or 192.168.0.1.\nTerms of use. javascript {\n* one\n* two ...",
    "\u{1F468}\u{200D}\u{1F469} e\u{301} \u{e9} ẞß ﬁ \u{202e}abc 日本語のテキスト ไทย \0",
    "fn main() { let x = 1; } // café\r\n\r\n",
    "",
];

/// A pattern, and below it the text.
pub(crate) fn regex(bytes: &[u8]) {
    let Some((pattern, text)) = two(bytes) else { return };
    run(&format!("SELECT regexp_extract({text}, {pattern}, 1), regexp_extract_all({text}, {pattern})"));
}

/// A path, and below it the JSON.
pub(crate) fn json_path(bytes: &[u8]) {
    let Some((path, json)) = two(bytes) else { return };
    run(&format!(
        "SELECT json_extract({json}, {path}), json_extract_string({json}, {path}), json_keys({json}), json_array_length({json}), \
         json_valid({json})"
    ));
}

fn two(bytes: &[u8]) -> Option<(String, String)> {
    let (first, second) = str::from_utf8(bytes).ok()?.split_once('\n')?;
    Some((literal(first), literal(second)))
}

/// Shingles of every unit.
pub(crate) fn units(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for unit in Unit::ALL {
        for n in [1, 2, 5] {
            Shingler::new(unit, n).hashes(&text, &mut vec![]);
        }
    }
}

/// What reads a text by rules.
pub(crate) fn functions(bytes: &[u8]) {
    let text = literal(&String::from_utf8_lossy(bytes));
    run(&format!(
        "SELECT language({text}), pii_redact({text}), c4_clean({text}), c4_quality({text}), gopher_quality({text}), \
         gopher_repetition({text}), fineweb_quality({text}), normalize_text({text}), simhash(word_shingles({text}, 2)), \
         embed_text({text}), answer_match({text}, {text}), string_to_array({text}, 'a')"
    ));
}
