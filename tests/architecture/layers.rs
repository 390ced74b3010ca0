//! Which folder may use which, as docs/architecture.md draws it.

use std::collections::{BTreeMap, BTreeSet};

use super::{graph, known, read};

/// The drawing: each folder, or file, with those that it may use. Every file is of the longest name that it starts with.
fn drawing() -> BTreeMap<String, Vec<String>> {
    let page = read("docs/architecture.md");
    let block =
        page.split("```arrows\n").nth(1).unwrap_or_else(|| panic!("docs/architecture.md has no block ```arrows"));
    let lines = block.split("```").next().unwrap().lines();
    let line = |line: &str| {
        let (folder, uses) = line.split_once("->").unwrap_or_else(|| panic!("no arrow: {line}"));
        (folder.trim().to_owned(), uses.split_whitespace().map(str::to_owned).collect())
    };
    lines.filter(|text| !text.is_empty()).map(line).collect()
}

/// Whether a file or folder lies in a folder, or is it.
fn is_in(file: &str, folder: &str) -> bool {
    file.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The folder of the drawing that a file is in.
fn folder<'a>(drawing: &'a BTreeMap<String, Vec<String>>, file: &str) -> Option<&'a str> {
    drawing.keys().map(String::as_str).filter(|folder| is_in(file, folder)).max_by_key(|folder| folder.len())
}

#[test]
fn arrows_between_folders_are_as_drawn() {
    let drawing = drawing();
    let mut found = BTreeSet::new();
    for (file, targets) in graph::files() {
        let from = folder(&drawing, file)
            .unwrap_or_else(|| panic!("{file} is in no folder of the drawing in docs/architecture.md"));
        for target in targets {
            let is_own = folder(&drawing, target) == Some(from);
            if !is_own && !drawing[from].iter().any(|allowed| is_in(target, allowed)) {
                found.insert(format!("{file} -> {target}"));
            }
        }
    }
    known::check(
        "folders",
        "A file uses a folder that docs/architecture.md draws no arrow to. Move the code, or draw the arrow and say why.",
        &found,
    );
}

#[test]
fn the_drawing_has_no_circle_and_no_unknown_folder() {
    let drawing = drawing();
    let mut left: BTreeMap<&str, &Vec<String>> = drawing.iter().map(|(folder, uses)| (folder.as_str(), uses)).collect();
    for (folder, uses) in &drawing {
        for named in uses.iter().chain([folder]) {
            assert!(super::root().join(named).exists(), "docs/architecture.md draws {named}, which does not exist");
        }
    }
    while !left.is_empty() {
        let before = left.clone();
        left.retain(|_, uses| uses.iter().any(|used| before.keys().any(|folder| is_in(folder, used))));
        assert!(left.len() < before.len(), "arrows of docs/architecture.md go in a circle: {:?}", left.keys());
    }
}
