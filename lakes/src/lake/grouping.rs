//! Groups paths into tables.

use std::collections::BTreeMap;

use limpid_connectors::sources::files::key_value::key_value;
use serde::{Deserialize, Serialize};

use crate::options::Layout;

/// Endings of Parquet files.
const ENDINGS: [&str; 3] = [".parquet", ".parq", ".pq"];
/// What writers leave in the folder of a table.
const MARKERS: [&str; 3] = ["_SUCCESS", "_metadata", "_common_metadata"];
/// The folder of a Delta table's log.
const LOG: &str = "_delta_log/";

/// How a table was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// One file.
    File,
    /// A folder of files.
    Folder,
    /// A folder with `key=value` folders.
    Hive,
    /// A Delta table: its log decides which files count.
    Delta,
    /// An Iceberg table: its metadata decides which files count.
    Iceberg,
    /// A Hudi table: its timeline decides which files count.
    Hudi,
}

impl Kind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "folder",
            Self::Hive => "hive",
            Self::Delta => "delta",
            Self::Iceberg => "iceberg",
            Self::Hudi => "hudi",
        }
    }
}

/// Names and values of `key=value` folders.
pub type KeyValues = Vec<(String, Option<String>)>;

/// A table's files, as positions in the list given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// How it was found.
    pub kind: Kind,
    /// Its folder below the prefix, where another format's metadata governs it.
    pub root: String,
    /// File, and the values of its `key=value` folders.
    pub files: Vec<(usize, KeyValues)>,
}

/// Groups files, given by their paths below the prefix, into tables by name. `prefix` is the name of a table at the prefix
/// itself. `known` lists folders below it that another format's metadata governs, in addition to those that the paths reveal.
pub fn group<'a>(
    paths: &[&'a str],
    prefix: &str,
    layout: Layout,
    known: &'a [(String, Kind)],
) -> BTreeMap<String, Group> {
    let mut foreign = foreign_roots(paths);
    for (root, kind) in known {
        if !foreign.iter().any(|(known, _)| known == root) {
            foreign.push((root, *kind));
        }
    }
    let marked: Vec<&str> = paths.iter().filter_map(|path| marker_folder(path)).collect();
    let mut folders: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut tables: BTreeMap<String, Group> = BTreeMap::new();
    for (root, kind) in &foreign {
        tables.insert(named(root, prefix), Group { kind: *kind, root: (*root).to_owned(), files: vec![] });
    }
    for (at, path) in paths.iter().enumerate() {
        if !is_parquet(path) {
            continue;
        }
        let inside =
            |root: &&str| path.strip_prefix(*root).is_some_and(|rest| root.is_empty() || rest.starts_with('/'));
        if let Some((root, _)) = foreign.iter().find(|(root, _)| inside(root)) {
            if let Some(group) = tables.get_mut(&named(root, prefix)).filter(|_| !path.contains(LOG)) {
                group.files.push((at, vec![]));
            }
            continue;
        }
        let (root, partitions) = hive(path);
        if path.split('/').any(|name| name.starts_with(['_', '.']) && !name.contains('=')) {
            continue;
        }
        if layout == Layout::File {
            tables.insert(
                (*path).to_owned(),
                Group { kind: Kind::File, root: String::new(), files: vec![(at, partitions)] },
            );
        } else if partitions.is_empty() {
            folders.entry(folder(path)).or_default().push(at);
        } else {
            let group = Group { kind: Kind::Hive, root: String::new(), files: vec![] };
            tables.entry(named(root, prefix)).or_insert(group).files.push((at, partitions));
        }
    }
    for (folder, files) in folders {
        let parts = layout == Layout::Folder
            || marked.contains(&folder)
            || files.iter().all(|&at| is_part(file_name(paths[at])));
        if parts {
            for at in files {
                let split = split_name(file_name(paths[at])).filter(|_| layout == Layout::Auto);
                let name = match split {
                    Some(split) if folder.is_empty() => split.to_owned(),
                    Some(split) => format!("{folder}/{split}"),
                    None => named(folder, prefix),
                };
                let group = Group { kind: Kind::Folder, root: String::new(), files: vec![] };
                tables.entry(name).or_insert(group).files.push((at, vec![]));
            }
        } else {
            for at in files {
                tables.insert(
                    paths[at].to_owned(),
                    Group { kind: Kind::File, root: String::new(), files: vec![(at, vec![])] },
                );
            }
        }
    }
    tables
}

/// Whether a file is a Parquet file by its name.
pub fn is_parquet(path: &str) -> bool {
    ENDINGS.iter().any(|ending| path.len() > ending.len() && path.to_ascii_lowercase().ends_with(ending))
}

/// Folders whose files another format's metadata governs.
fn foreign_roots<'a>(paths: &[&'a str]) -> Vec<(&'a str, Kind)> {
    let mut roots: Vec<(&str, Kind)> = vec![];
    for path in paths {
        let root = if let Some(root) = before(path, LOG) {
            (root, Kind::Delta)
        } else if path.ends_with(".metadata.json")
            && let Some(root) = before(path, "metadata/")
        {
            (root, Kind::Iceberg)
        } else {
            continue;
        };
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    roots
}

/// What lies before a folder of that name, without the slash between.
fn before<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    match path.find(folder)? {
        0 => Some(""),
        at => path[..at].strip_suffix('/'),
    }
}

fn marker_folder(path: &str) -> Option<&str> {
    MARKERS.contains(&file_name(path)).then(|| folder(path))
}

/// The folder of a table, and the values of the `key=value` folders below it.
fn hive(path: &str) -> (&str, KeyValues) {
    let mut root = None;
    let mut values = vec![];
    let mut start = 0;
    for name in folder(path).split('/') {
        if let Some((key, value)) = key_value(name) {
            root = root.or_else(|| Some(path[..start].trim_end_matches('/')));
            values.push((key, value));
        }
        start += name.len() + 1;
    }
    (root.unwrap_or(path), values)
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn named(folder: &str, prefix: &str) -> String {
    if folder.is_empty() { prefix.to_owned() } else { folder.to_owned() }
}

fn stem(name: &str) -> &str {
    name.split_once('.').map_or(name, |(stem, _)| stem)
}

/// Whether a writer named the file as one part of a table: `part-0001`, `00000_0`, `data-00000-of-00008`, a UUID.
fn is_part(name: &str) -> bool {
    let stem = stem(name);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let uuid = stem.len() == 36 && stem.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && stem.split('-').all(hex);
    stem.starts_with("part-")
        || (stem.starts_with('0') && stem.split('_').all(digits))
        || uuid
        || split_name(name).is_some()
}

/// `train` of `train-00000-of-00008.parquet`.
fn split_name(name: &str) -> Option<&str> {
    let (rest, total) = stem(name).rsplit_once("-of-")?;
    let (split, part) = rest.rsplit_once('-')?;
    let digits = |text: &str| text.len() >= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(total) && digits(part)).then_some(split)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(paths: &[&str], layout: Layout) -> Vec<(String, Kind, usize)> {
        group(paths, "lake", layout, &[])
            .into_iter()
            .map(|(name, group)| (name, group.kind, group.files.len()))
            .collect()
    }

    #[test]
    fn what_counts_as_a_table() {
        let paths = [
            "a.parquet",
            "b/x.parquet",
            "b/y.parquet",
            "c/part-0001-7f.snappy.parquet",
            "c/part-0002-7f.snappy.parquet",
            "d/_SUCCESS",
            "d/one.parquet",
            "d/two.parquet",
            "e/year=2024/month=1/x.parquet",
            "e/year=2025/month=2/y.parquet",
            "f/train-00000-of-00002.parquet",
            "f/train-00001-of-00002.parquet",
            "f/test-00000-of-00001.parquet",
            "g/notes.txt",
            "h/_temporary/part-1.parquet",
            "i/00000_0.parquet",
            "j/_delta_log/00000000000000000000.json",
            "j/part-1.parquet",
            "j/_delta_log/00000000000000000001.checkpoint.parquet",
            "k/metadata/v1.metadata.json",
            "k/data/00000.parquet",
        ];
        let expected = [
            ("a.parquet", Kind::File, 1),
            ("b/x.parquet", Kind::File, 1),
            ("b/y.parquet", Kind::File, 1),
            ("c", Kind::Folder, 2),
            ("d", Kind::Folder, 2),
            ("e", Kind::Hive, 2),
            ("f/test", Kind::Folder, 1),
            ("f/train", Kind::Folder, 2),
            ("i", Kind::Folder, 1),
            ("j", Kind::Delta, 1),
            ("k", Kind::Iceberg, 1),
        ];
        assert_eq!(names(&paths, Layout::Auto), expected.map(|(name, kind, files)| (name.to_owned(), kind, files)));
        assert_eq!(
            names(&paths[..3], Layout::Folder),
            [("b".to_owned(), Kind::Folder, 2), ("lake".to_owned(), Kind::Folder, 1)]
        );
        assert_eq!(names(&paths[3..5], Layout::File).len(), 2);
    }

    #[test]
    fn folders_that_are_known_to_be_foreign() {
        let known = [("h".to_owned(), Kind::Hudi)];
        let tables = group(&["h/x=1/a.parquet", "b.parquet"], "lake", Layout::Auto, &known);
        let shown: Vec<_> = tables.iter().map(|(name, group)| (name.as_str(), group.kind)).collect();
        assert_eq!(shown, [("b.parquet", Kind::File), ("h", Kind::Hudi)]);
    }

    #[test]
    fn partition_values() {
        let tables =
            group(&["t/a=1/b=x%20y/f.parquet", "t/a=__HIVE_DEFAULT_PARTITION__/b=/f.parquet"], "", Layout::Auto, &[]);
        let group = &tables["t"];
        let value = |file: usize, at: usize| group.files[file].1[at].1.as_deref();
        assert_eq!((value(0, 0), value(0, 1)), (Some("1"), Some("x y")));
        assert_eq!((value(1, 0), value(1, 1)), (None, Some("")));
    }
}
