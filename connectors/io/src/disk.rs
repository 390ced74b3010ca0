//! Names and bytes put on disk.

use std::fs::{self, File};
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};

/// Puts the bytes of an open file on disk.
///
/// # Errors
/// The disk refuses them.
pub fn sync_file(file: &File) -> Result<()> {
    file.sync_all()
}

/// Puts the names in a folder on disk.
///
/// # Errors
/// The folder cannot be opened, or the disk refuses.
pub fn sync_folder(folder: &Path) -> Result<()> {
    // Other systems cannot open a folder as a file, and need no such call.
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder)?.sync_all() {
        // Some network file systems know no such call for folders.
        Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// Puts a file, or a folder with everything in it, on disk.
///
/// # Errors
/// Something in it cannot be opened, or the disk refuses.
pub fn sync_tree(path: &Path) -> Result<()> {
    if !path.is_dir() {
        return sync_file(&File::open(path)?);
    }
    for entry in fs::read_dir(path)? {
        sync_tree(&entry?.path())?;
    }
    sync_folder(path)
}

/// Creates a folder and the missing ones above it, and puts their names on disk.
///
/// # Errors
/// Any error of the file system.
pub fn create_dir_all(folder: &Path) -> Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.is_dir()).collect();
    fs::create_dir_all(folder)?;
    // The path `a` has the ancestors `a` and the empty path, which is no folder to create.
    missing.into_iter().filter(|folder| !folder.as_os_str().is_empty()).try_for_each(|new| sync_folder(parent(new)))
}

/// Renames a file or a folder whose content is on disk already. A file of the new name is replaced.
///
/// # Errors
/// Any error of the file system.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)?;
    sync_folder(parent(to))?;
    if parent(from) == parent(to) { Ok(()) } else { sync_folder(parent(from)) }
}

/// Puts a finished file or folder on disk with everything in it, and gives it its name. A file of that name is replaced.
///
/// # Errors
/// Any error of the file system.
pub fn commit(finished: &Path, name: &Path) -> Result<()> {
    sync_tree(finished)?;
    rename(finished, name)
}

/// Renames a file whose content is on disk already, and never replaces another. Missing folders above `to` are created. Where a
/// killed process had done the first half of that, the second half follows.
///
/// # Errors
/// [`AlreadyExists`](ErrorKind::AlreadyExists) where something else has that name; any other error of the file system.
pub fn move_new(from: &Path, to: &Path) -> Result<()> {
    create_dir_all(parent(to))?;
    match fs::hard_link(from, to) {
        Ok(()) => {
            sync_folder(parent(to))?;
            fs::remove_file(from)?;
        }
        Err(e) if e.kind() == ErrorKind::AlreadyExists && is_same(from, to) => fs::remove_file(from)?,
        Err(e) if matches!(e.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => return Err(e),
        // File systems without links: another process could write there between the look and the renaming.
        Err(_) if to.exists() => return Err(ErrorKind::AlreadyExists.into()),
        Err(_) => {
            fs::rename(from, to)?;
            sync_folder(parent(to))?;
        }
    }
    sync_folder(parent(from))
}

/// Removes a file for good.
///
/// # Errors
/// Any error of the file system.
pub fn remove_file(path: &Path) -> Result<()> {
    fs::remove_file(path)?;
    sync_folder(parent(path))
}

/// The folder that holds a name.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => Path::new("/"),
    }
}

/// Where a write to `path` ends: a link stays, and what it points to is written.
pub(crate) fn target(path: &Path) -> Result<PathBuf> {
    let linked = path.is_symlink().then(|| path.canonicalize().ok()).flatten();
    linked.map_or_else(|| std::path::absolute(path), Ok)
}

/// Whether two names are one file.
#[cfg(unix)]
fn is_same(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |path: &Path| fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    id(a).is_some() && id(a) == id(b)
}

#[cfg(not(unix))]
fn is_same(_: &Path, _: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_created_below_each_other_and_twice() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            create_dir_all(&folder.path().join("a/b/c")).unwrap();
        }
        assert!(folder.path().join("a/b/c").is_dir());
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(create_dir_all(&folder.path().join("file/d")).is_err());
    }

    #[test]
    fn a_finished_folder_takes_its_name_with_all_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let (made, name) = (folder.path().join("made"), folder.path().join("name"));
        fs::create_dir_all(made.join("deep")).unwrap();
        fs::write(made.join("deep/file"), "x").unwrap();
        commit(&made, &name).unwrap();
        assert_eq!(fs::read_to_string(name.join("deep/file")).unwrap(), "x");
        assert!(!made.exists());
        fs::create_dir(&made).unwrap();
        assert!(commit(&made, &name).is_err(), "a folder with files is not replaced");
    }

    #[test]
    fn a_moved_file_replaces_nothing_and_is_moved_to_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("new/deep/to"));
        fs::write(&from, "one").unwrap();
        move_new(&from, &to).unwrap();
        assert!(!from.exists() && fs::read_to_string(&to).unwrap() == "one");
        fs::write(&from, "two").unwrap();
        assert_eq!(move_new(&from, &to).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert!(fs::read_to_string(&from).unwrap() == "two" && fs::read_to_string(&to).unwrap() == "one");
        fs::remove_file(&from).unwrap();
        assert_eq!(move_new(&from, &folder.path().join("other")).unwrap_err().kind(), ErrorKind::NotFound);
        // Killed after the link: both names are the same file.
        fs::hard_link(&to, &from).unwrap();
        move_new(&from, &to).unwrap();
        assert!(!from.exists() && to.exists());
    }
}
