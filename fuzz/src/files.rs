//! Files of every format that limpid reads itself.

use crate::engine;

pub(crate) const CSV: &[&str] =
    &["a,b\n1,\"x\"\"y\"\n2,\n", "a;b\r\n'1';2\r\n", "# note\na\tb\n1\t\\N\n", "\u{feff}a,b\n1"];
pub(crate) const JSON: &[&str] = &[
    "{\"a\": 1, \"b\": [1, null, {\"c\": \"\\ud83d\\ude00\"}]}\n{\"a\": 1.5}\n",
    "[{\"a\": 18446744073709551615}, {\"a\": -1}]",
    "{\n \"a\": {\"b\": true}\n}\n{\"a\": {}}",
];
pub(crate) const TEXT: &[&str] = &["", "\u{feff}a\r\nb\0", "\u{1F600} words"];

/// Options of readers; the length of an input chooses, so that every file stays an input as it is.
const OPTIONS: [&str; 8] = [
    "",
    ", on_error => 'skip'",
    ", on_error => 'null'",
    ", encoding => 'latin1'",
    ", encoding => 'utf-16le'",
    ", sample => 0.00001",
    ", provenance => true",
    ", compression => 'none'",
];

const DIALECTS: [&str; 8] = [
    "",
    ", delimiter => ';'",
    ", header => false",
    ", ragged => 'pad'",
    ", quote => ''''",
    ", escape => '\\'",
    ", comment => '#'",
    ", columns => {'a': 'BIGINT', 'b': 'VARCHAR'}",
];

pub(crate) fn csv(bytes: &[u8]) {
    let dialect = DIALECTS[bytes.len() / 8 % 8];
    read("read_csv", "file.csv", &format!("{}{dialect}", OPTIONS[bytes.len() % 8]), bytes);
}

pub(crate) fn json(bytes: &[u8]) {
    read("read_json", "file.jsonl", OPTIONS[bytes.len() % 8], bytes);
    read("read_rejects", "file.jsonl", ", format => 'json'", bytes);
}

pub(crate) fn text(bytes: &[u8]) {
    read("read_text", "file.txt", "", bytes);
    read("read_text", "file.txt", ", skip_unreadable => true", bytes);
}

fn read(function: &str, name: &str, options: &str, bytes: &[u8]) {
    let path = engine::file(name, bytes);
    engine::run(&format!("SELECT * FROM {function}({}{options})", engine::literal(&path)));
}
