//! Files with several names. A link is not a copy: setting its file aside frees nothing and breaks the other name.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use limpid_connectors::sources::Alias;

use super::grouping::{Kind, is_parquet};
use super::{Problem, Table};

/// Records for each table of a local lake why links prevent setting it aside. `root` is the path of the lake; `links` are the
/// names that were skipped.
pub fn note(tables: &mut [Table], links: &[Alias], root: &str) {
    let targets: HashMap<&str, &str> = links.iter().map(|link| (link.file.as_ref(), link.name.as_ref())).collect();
    let mut folders = Folders::new(root);
    for table in tables {
        let found = table.files.iter().find_map(|file| {
            let location = file.meta.location.as_ref();
            let shown = below(location, root);
            if let Some(link) = targets.get(location) {
                return Some(format!("{} is a link to {shown}", below(link, root)));
            }
            if folders.is_linked(location) {
                return Some(format!("{shown} is reached through a symbolic link"));
            }
            has_other_names(&absolute(location)).then(|| format!("{shown} has other names: hard links to it"))
        });
        table.held = table.held.take().or(found);
    }
}

/// The Parquet files that were left out because they are other names of files that are listed.
pub fn problems(links: &[Alias], root: &str) -> Vec<Problem> {
    let shown = links.iter().filter(|link| is_parquet(link.name.as_ref()));
    shown
        .map(|link| Problem {
            table: below(link.name.as_ref(), root).to_owned(),
            kind: Kind::File,
            files: 1,
            bytes: 0,
            reason: format!("a link to {}, which is listed under that name", below(link.file.as_ref(), root)),
        })
        .collect()
}

fn below<'a>(path: &'a str, root: &str) -> &'a str {
    path.strip_prefix(root).unwrap_or(path)
}

fn absolute(location: &str) -> PathBuf {
    Path::new("/").join(location)
}

/// Caches for folders below the lake whether a symbolic link leads to them.
struct Folders {
    root: PathBuf,
    real: Option<PathBuf>,
    linked: HashMap<PathBuf, bool>,
}

impl Folders {
    fn new(root: &str) -> Self {
        let root = absolute(root.trim_end_matches('/'));
        let real = root.canonicalize().ok();
        Self { root, real, linked: HashMap::new() }
    }

    /// Whether a symbolic link below the lake is on the way to a file, or is the file.
    fn is_linked(&mut self, location: &str) -> bool {
        let path = absolute(location);
        if path.symlink_metadata().is_ok_and(|meta| meta.file_type().is_symlink()) {
            return true;
        }
        let Some(folder) = path.parent() else { return false };
        if let Some(&linked) = self.linked.get(folder) {
            return linked;
        }
        let expected = folder.strip_prefix(&self.root).ok().zip(self.real.as_ref()).map(|(rest, real)| real.join(rest));
        let linked = expected.is_some_and(|expected| folder.canonicalize().is_ok_and(|real| real != expected));
        self.linked.insert(folder.to_owned(), linked);
        linked
    }
}

/// Whether the file at `path` has other names: hard links.
#[cfg(unix)]
pub fn has_other_names(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    path.metadata().is_ok_and(|meta| meta.nlink() > 1)
}

/// Whether the file at `path` has other names: hard links, which are not seen here.
#[cfg(not(unix))]
pub fn has_other_names(_: &Path) -> bool {
    false
}
