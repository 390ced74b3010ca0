//! Circles: of files, and of folders that lie beside each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::modules::Modules;
use super::{known, resolve};

/// More files than this that all depend on each other are a knot.
const MAX_CIRCLE: usize = 3;

/// Nodes with those that each uses.
pub(super) type Graph = BTreeMap<String, BTreeSet<String>>;

/// The files of the crates and the files that each uses. They are read once.
pub(super) fn files() -> &'static Graph {
    static FILES: LazyLock<Graph> = LazyLock::new(|| resolve::edges(&Modules::read()));
    &FILES
}

/// The groups of nodes that can all be reached from each other.
fn circles(graph: &Graph) -> Vec<BTreeSet<String>> {
    let reach = |start: &String| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
        while let Some(node) = open.pop() {
            for next in graph.get(node).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = graph.keys().map(|node| (node, reach(node))).collect();
    let mut found: Vec<BTreeSet<String>> = vec![];
    for (node, nodes) in &reached {
        if nodes.contains(*node) && !found.iter().any(|circle| circle.contains(*node)) {
            let back = |other: &&String| reached.get(other).is_some_and(|nodes| nodes.contains(*node));
            found.push(nodes.iter().filter(back).cloned().collect());
        }
    }
    found
}

#[test]
fn no_more_than_three_files_use_each_other() {
    let knots = circles(files()).into_iter().filter(|circle| circle.len() > MAX_CIRCLE);
    known::check(
        "circles",
        "More than three files depend on each other in a circle. Move what they share into a file that uses none of them.",
        &knots.flatten().collect(),
    );
}

#[test]
fn no_folders_use_each_other() {
    let files = files();
    let mut found = BTreeSet::new();
    for folder in folders(files) {
        for circle in circles(&beside(files, &folder)) {
            if circle.len() > 1 && circle.iter().any(|node| !node.ends_with(".rs")) {
                found.extend(circle);
            }
        }
    }
    known::check(
        "folder_circles",
        "Folders, or a folder and a file beside it, depend on each other. Let one of them know the other only.",
        &found,
    );
}

/// Every folder with files or folders of files.
fn folders(files: &Graph) -> BTreeSet<String> {
    let parents =
        |file: &String| -> Vec<String> { file.match_indices('/').map(|(at, _)| file[..at].to_owned()).collect() };
    files.keys().flat_map(parents).collect()
}

/// What lies in `folder` and how it uses each other: folders as one, files as themselves. `x.rs` beside `x/` is part of `x`; the
/// folder's own module is left out, since it is there to name what lies in the folder.
fn beside(files: &Graph, folder: &str) -> Graph {
    let node = |file: &String| -> Option<String> {
        let inside = file.strip_prefix(folder)?.strip_prefix('/')?;
        if ["mod.rs", "lib.rs", "main.rs"].contains(&inside) {
            return None;
        }
        let name = inside.split('/').next()?;
        let stem = format!("{folder}/{}", name.trim_end_matches(".rs"));
        let is_folder = files.keys().any(|file| file.starts_with(&format!("{stem}/")));
        Some(if is_folder { stem } else { format!("{folder}/{name}") })
    };
    let mut graph = Graph::new();
    for (file, targets) in files {
        let Some(from) = node(file) else { continue };
        let targets = targets.iter().filter_map(node).filter(|to| *to != from);
        graph.entry(from.clone()).or_default().extend(targets.collect::<Vec<_>>());
    }
    graph
}

#[test]
fn circles_are_found() {
    let graph = |edges: &[(&str, &str)]| {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            graph.entry((*to).to_owned()).or_default();
        }
        graph
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let found = circles(&graph(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "e"), ("e", "d"), ("f", "a")]));
    assert_eq!(found, [set(&["a", "b", "c"]), set(&["d", "e"])]);
    let files =
        graph(&[("s/x/a.rs", "s/y.rs"), ("s/y.rs", "s/z/b.rs"), ("s/z/b.rs", "s/x/mod.rs"), ("s/lib.rs", "s/y.rs")]);
    assert_eq!(circles(&beside(&files, "s")), [set(&["s/x", "s/y.rs", "s/z"])]);
}
