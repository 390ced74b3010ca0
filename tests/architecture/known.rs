//! Lists of known exceptions: one a line, `exception: reason`, sorted.

use std::collections::BTreeSet;

use super::{read, root};

/// Fails unless the exceptions found are those of `known/NAME.txt`. `rule` says what is wrong and how to mend it.
pub(super) fn check(name: &str, rule: &str, found: &BTreeSet<String>) {
    let path = format!("tests/architecture/known/{name}.txt");
    let text = read(&path);
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let (comments, lines): (Vec<&str>, Vec<&str>) = lines.into_iter().partition(|line| line.starts_with('#'));
    let key = |line: &str| line.split_once(": ").map_or(line, |(key, _)| key).to_owned();
    let known: BTreeSet<String> = lines.iter().map(|line| key(line)).collect();
    let mut gone: Vec<&String> = known.difference(found).collect();
    if std::env::var_os("UPDATE_ARCHITECTURE").is_some() && !gone.is_empty() {
        let kept = lines.iter().filter(|line| found.contains(&key(line)));
        let kept: String = comments.iter().chain(kept).map(|line| format!("{line}\n")).collect();
        std::fs::write(root().join(&path), kept).unwrap();
        gone.clear();
    }
    let new: Vec<&String> = found.difference(&known).collect();
    let list = |lines: &[&String]| lines.iter().map(|line| format!("  {line}\n")).collect::<String>();
    assert!(new.is_empty(), "{rule}\nNew:\n{}", list(&new));
    assert!(
        gone.is_empty(),
        "These are mended. Remove them from {path}, or run UPDATE_ARCHITECTURE=1 cargo test --test architecture:\n{}",
        list(&gone)
    );
    assert!(lines.is_sorted(), "{path} is not sorted");
    assert_eq!(known.len(), lines.len(), "{path} names something twice");
}

#[test]
fn each_list_is_read_by_a_rule() {
    let rules = ["circles", "display_text", "downcasts", "execution_plans", "folder_circles", "folders", "lines"];
    for entry in root().join("tests/architecture/known").read_dir().unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(rules.iter().any(|rule| name == format!("{rule}.txt")), "no rule reads known/{name}");
    }
}

#[test]
fn each_exception_of_a_judgement_has_a_reason() {
    for name in ["display_text", "downcasts", "execution_plans", "lines"] {
        for line in read(&format!("tests/architecture/known/{name}.txt")).lines() {
            assert!(line.starts_with('#') || line.contains(": "), "known/{name}.txt gives no reason: {line}");
        }
    }
}
