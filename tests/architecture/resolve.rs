//! Which file a path means: the one that defines its item, whatever module passes it on.

use std::collections::BTreeSet;

use super::graph::Graph;
use super::modules::Modules;

/// How many `use` a name is followed through.
const MAX_DEPTH: usize = 16;

/// The files that each file uses.
pub(super) fn edges(modules: &Modules) -> Graph {
    let mut found = Graph::new();
    for (index, module) in modules.all.iter().enumerate() {
        let targets = found.entry(module.file.clone()).or_default();
        for path in &module.paths {
            let files = resolve(modules, index, path, 0);
            targets.extend(files.into_iter().filter(|file| *file != module.file));
        }
    }
    found
}

/// The file that defines what `path` means in a module; none for other crates, and for modules as such.
fn resolve(modules: &Modules, start: usize, path: &[String], depth: usize) -> BTreeSet<String> {
    let Some((first, mut rest)) = path.split_first() else { return BTreeSet::new() };
    let module = &modules.all[start];
    let mut at = match first.as_str() {
        "crate" => top(modules, start),
        "self" => start,
        "super" => match module.parent {
            Some(parent) => parent,
            None => return BTreeSet::new(),
        },
        name if module.children.contains_key(name) => module.children[name],
        name if module.items.contains(name) || module.uses.contains_key(name) => {
            return in_module(modules, start, path, depth);
        }
        name => match modules.crates.get(name) {
            Some(index) => *index,
            None => return in_module(modules, start, path, depth),
        },
    };
    while let Some((name, after)) = rest.split_first() {
        let module = &modules.all[at];
        at = match (name.as_str(), module.parent) {
            ("super", Some(parent)) => parent,
            (name, _) if module.children.contains_key(name) => module.children[name],
            _ => return in_module(modules, at, rest, depth),
        };
        rest = after;
    }
    BTreeSet::new()
}

/// What the first name of `path` means in a module that has no module of that name.
fn in_module(modules: &Modules, at: usize, path: &[String], depth: usize) -> BTreeSet<String> {
    let module = &modules.all[at];
    if depth > MAX_DEPTH {
        return BTreeSet::new();
    }
    if module.items.contains(&path[0]) {
        return BTreeSet::from([module.file.clone()]);
    }
    if let Some(target) = module.uses.get(&path[0]) {
        let mut target = target.clone();
        // `use name;` of another crate, which has that name itself.
        if target[0] == path[0] && target.len() == 1 {
            return BTreeSet::new();
        }
        target.extend_from_slice(&path[1..]);
        return resolve(modules, at, &target, depth + 1);
    }
    let through = module.globs.iter().flat_map(|glob| {
        let target: Vec<String> = glob.iter().chain(path).cloned().collect();
        resolve(modules, at, &target, depth + 1)
    });
    through.collect()
}

fn top(modules: &Modules, mut index: usize) -> usize {
    while let Some(parent) = modules.all[index].parent {
        index = parent;
    }
    index
}
