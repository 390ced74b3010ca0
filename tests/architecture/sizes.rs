//! How long files are.

use super::{known, read, source};

/// A file of more lines needs a reason.
const MAX_LINES: usize = 500;
/// Half of the files have fewer lines.
const MEDIAN_LINES: usize = 150;

#[test]
fn no_file_is_long_without_a_reason() {
    let mut lines: Vec<(usize, String)> =
        source::files().into_iter().map(|file| (read(&file).lines().count(), file)).collect();
    lines.sort();
    let median = lines[lines.len() / 2].0;
    assert!(median < MEDIAN_LINES, "half of the files have {median} lines or more: divide those that do two things");
    let long = lines.into_iter().filter(|(lines, _)| *lines > MAX_LINES);
    known::check(
        "lines",
        "A file has more than 500 lines. Divide it, or list it in tests/architecture/known/lines.txt with the reason.",
        &long.map(|(_, file)| file).collect(),
    );
}
