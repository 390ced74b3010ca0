//! One file, whole or not at all.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::disk::{parent, sync_file, sync_folder, target};

/// What the name of a file begins and ends with while it is written.
const PREFIX: &str = ".limpid-";
const SUFFIX: &str = ".tmp";
/// Random characters in a name that no other file shall have.
const UNIQUE: usize = 16;
/// An unfinished file this old belongs to a process that was killed.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// Writes `bytes` as the file `path`; a file of that name is replaced.
///
/// # Errors
/// Any error of the file system; the older file is then as it was.
pub fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    write_with(path, |file| file.write_all(bytes.as_ref()))
}

/// The same, unless there is a file of that name.
///
/// # Errors
/// [`AlreadyExists`](ErrorKind::AlreadyExists) where something has that name; any other error of the file system.
pub fn write_new(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let mut file = NewFile::create(path.as_ref())?;
    file.write_all(bytes.as_ref())?;
    file.commit_new()
}

/// Writes the file `path` through `write`; a file of that name is replaced.
///
/// # Errors
/// What `write` returns, and any error of the file system; the older file is then as it was.
pub fn write_with<E: From<io::Error>>(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<(), E> {
    let mut file = NewFile::create(path.as_ref())?;
    write(file.as_file_mut())?;
    Ok(file.commit()?)
}

/// A file that is being written. Dropped before it is committed, it disappears.
#[derive(Debug)]
pub struct NewFile {
    draft: NamedTempFile,
    target: PathBuf,
}

impl NewFile {
    /// The file `path`, which is written beside its place.
    ///
    /// # Errors
    /// The path has no file name, or the folder cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        if path.file_name().is_none() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "the path has no file name"));
        }
        let target = target(path)?;
        Ok(Self { draft: draft(parent(&target), 6)?, target })
    }

    /// A file in `folder` whose name no other has: `before`, random characters, and `after`.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn create_unique(folder: &Path, before: &str, after: &str) -> io::Result<Self> {
        let draft = draft(folder, UNIQUE)?;
        let name = draft.path().file_name().unwrap_or_default().to_string_lossy();
        let random = name.trim_start_matches(PREFIX).trim_end_matches(SUFFIX);
        let target = folder.join(format!("{before}{random}{after}"));
        Ok(Self { draft, target })
    }

    /// The name that it will have.
    pub fn path(&self) -> &Path {
        &self.target
    }

    /// The open file.
    pub fn as_file(&self) -> &File {
        self.draft.as_file()
    }

    /// The open file.
    pub fn as_file_mut(&mut self) -> &mut File {
        self.draft.as_file_mut()
    }

    /// Puts the file on disk and gives it its name; a file of that name is replaced.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn commit(self) -> io::Result<()> {
        sync_file(self.draft.as_file())?;
        self.draft.persist(&self.target).map_err(|e| e.error)?;
        sync_folder(parent(&self.target))
    }

    /// The same, unless there is a file of that name.
    ///
    /// # Errors
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) where something has that name; any other error of the file system.
    pub fn commit_new(self) -> io::Result<()> {
        sync_file(self.draft.as_file())?;
        self.draft.persist_noclobber(&self.target).map_err(|e| e.error)?;
        sync_folder(parent(&self.target))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.as_file_mut().flush()
    }
}

/// Whether a file of this name is an unfinished one.
pub fn is_unfinished(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(PREFIX.as_bytes()) && name.ends_with(SUFFIX.as_bytes())
}

/// Removes the unfinished files that killed processes left in `folder` more than a day ago. One that cannot be removed does no harm.
pub fn remove_abandoned(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|time| time.elapsed().ok());
        if is_unfinished(&entry.file_name()) && age.is_some_and(|age| age > ABANDONED) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn draft(folder: &Path, random: usize) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(random);
    // The permissions of any new file; by default a temporary file is readable by its owner only.
    #[cfg(unix)]
    builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
    builder.tempfile_in(folder).map_err(without_path)
}

/// The error without the name of the temporary file, which means nothing to the user.
fn without_path(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.split_once(" at path ") {
        Some((reason, _)) => io::Error::new(error.kind(), reason),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::names;

    #[test]
    fn a_file_is_whole_or_absent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        let broken = write_with(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("out of ideas"))
        });
        assert!(broken.unwrap_err().to_string().contains("out of ideas") && names(folder.path()).is_empty());
        for text in ["one", "two"] {
            write(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(names(folder.path()), ["report.html"]);
        fs::write(folder.path().join("plain"), "").unwrap();
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions();
        assert_eq!(mode("report.html"), mode("plain"));
        let missing = write(folder.path().join("no/such/x"), "").unwrap_err();
        assert!(missing.kind() == ErrorKind::NotFound && !missing.to_string().contains(PREFIX), "{missing}");
        assert_eq!(write("/", "").unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn a_new_file_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job.yaml");
        write_new(&path, "mine").unwrap();
        assert_eq!(write_new(&path, "yours").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        assert_eq!(names(folder.path()), ["job.yaml"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "old").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("file", &link).unwrap();
        write(&link, "new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(folder.path().join("file")).unwrap(), "new");
    }

    #[test]
    fn unique_names_differ_and_dropped_files_disappear() {
        let folder = tempfile::tempdir().unwrap();
        drop(NewFile::create_unique(folder.path(), "part-", ".parquet").unwrap());
        assert!(names(folder.path()).is_empty());
        for _ in 0..3 {
            NewFile::create_unique(folder.path(), "part-", ".parquet").unwrap().commit_new().unwrap();
        }
        let names = names(folder.path());
        let plain = |name: &String| name.starts_with("part-") && name.ends_with(".parquet") && name.len() == 29;
        assert!(names.len() == 3 && names.iter().all(plain), "{names:?}");
    }

    #[test]
    fn only_old_unfinished_files_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let old = std::time::SystemTime::now() - 2 * ABANDONED;
        for (name, age) in [(".limpid-a.tmp", Some(old)), (".limpid-b.tmp", None), (".other.tmp", Some(old))] {
            let file = File::create(folder.path().join(name)).unwrap();
            age.into_iter().for_each(|time| file.set_modified(time).unwrap());
        }
        remove_abandoned(folder.path());
        assert_eq!(names(folder.path()), [".limpid-b.tmp", ".other.tmp"]);
    }
}
