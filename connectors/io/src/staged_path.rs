//! A place for a writer that knows nothing of commits: it writes beside the target, and what it made takes the target's name
//! at the end.
//!
//! `NAME` is written as `.NAME.copy-PID-N/NAME`. The folder around it is locked while its writer lives; one found unlocked is
//! what a killed process left, and the next writer of the same name removes it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::disk::{self, parent};
use crate::error::{Error, Result};
use crate::staged_folder::lock;

/// Looks after a failed write whether its last tasks still put something down, and the time between two looks.
const LOOKS: usize = 50;
const PAUSE: Duration = Duration::from_millis(20);

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Where a result shall be, and where it is written until it is complete.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StagedPath {
    target: PathBuf,
    folder: PathBuf,
    is_folder: bool,
}

impl StagedPath {
    /// For the file or the folder `target`; nothing is created yet.
    ///
    /// # Errors
    /// The path has no name that a finished file could take.
    pub fn new(target: &Path, is_folder: bool) -> Result<Self> {
        let absolute = disk::target(target).map_err(Error::io(target))?;
        let Some((parent, name)) = absolute.parent().zip(absolute.file_name()) else {
            return Err(Error::refused(target, "it has no name that a finished file could take"));
        };
        let mut folder = prefix(name);
        folder.push(format!("{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed)));
        // Without the slash that may end the path of a folder.
        Ok(Self { folder: parent.join(folder), target: parent.join(name), is_folder })
    }

    /// Where the result shall be.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Whether the target was named as a folder.
    pub fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// Where to write.
    pub fn path(&self) -> PathBuf {
        self.folder.join(self.target.file_name().unwrap_or_default())
    }

    /// Removes what killed writers left and makes room for the result.
    ///
    /// # Errors
    /// The target is something that must not be replaced, such as a folder with files or a device; any error of the file
    /// system.
    pub fn begin(&self) -> Result<StagedWrite> {
        self.check_replaceable()?;
        let failed = Error::io(&self.target);
        let parent = parent(&self.target);
        let missing: Vec<PathBuf> = parent.ancestors().take_while(|path| !path.exists()).map(Path::to_owned).collect();
        // From here on, whatever fails, nothing is left.
        let mut write = StagedWrite { place: self.clone(), missing, lock: None, committed: false };
        uncommitted().push(self.folder.clone());
        disk::create_dir_all(parent).map_err(&failed)?;
        remove_stale(parent, &prefix(self.target.file_name().unwrap_or_default()));
        fs::create_dir(&self.folder).map_err(&failed)?;
        write.lock = lock(&self.folder)?;
        if self.is_folder {
            fs::create_dir(self.path()).map_err(&failed)?;
        }
        Ok(write)
    }

    fn check_replaceable(&self) -> Result<()> {
        let (failed, refused) = (Error::io(&self.target), |reason| Err(Error::refused(&self.target, reason)));
        match fs::metadata(&self.target) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            Err(e) => Err(failed(e)),
            Ok(found) if found.is_file() => Ok(()),
            Ok(found) if found.is_dir() => match fs::read_dir(&self.target).map(|mut entries| entries.next()) {
                Err(e) => Err(failed(e)),
                Ok(None) => Ok(()),
                Ok(Some(_)) => refused("the folder is not empty; remove it or name another"),
            },
            Ok(_) => refused("it is neither a file nor a folder"),
        }
    }
}

/// A result being written. Dropped before [`commit`](Self::commit), it disappears.
#[derive(Debug)]
pub struct StagedWrite {
    place: StagedPath,
    /// Folders above the target that are there for its sake only, the innermost first.
    missing: Vec<PathBuf>,
    lock: Option<File>,
    committed: bool,
}

impl StagedWrite {
    /// Puts what was written on disk and gives it its name.
    ///
    /// # Errors
    /// Any error of the file system, with the path; the target is then as it was.
    pub fn commit(mut self) -> Result<()> {
        let target = &self.place.target;
        disk::commit(&self.place.path(), target).map_err(Error::io(target))?;
        self.missing.clear();
        self.committed = true;
        Ok(())
    }

    /// Why the place refuses bytes, found out by writing some; `None` where it takes them.
    pub fn refusal(&self) -> Option<std::io::Error> {
        let probe = || tempfile::tempfile_in(&self.place.folder)?.write_all(&[0; 1 << 16]);
        probe().err()
    }
}

/// Folders of writes without a commit. A writer on a thread of its own may make one again after its write has ended.
static UNCOMMITTED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn uncommitted() -> MutexGuard<'static, Vec<PathBuf>> {
    UNCOMMITTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes what interrupted writers of this process left. Call it when their threads are gone.
pub fn remove_uncommitted() {
    for folder in std::mem::take(&mut *uncommitted()) {
        match fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != ErrorKind::NotFound => log::warn!("cannot remove {}: {e}", folder.display()),
            _ => {}
        }
    }
}

impl Drop for StagedWrite {
    fn drop(&mut self) {
        self.lock = None;
        let folder = &self.place.folder;
        if self.committed {
            uncommitted().retain(|other| other != folder);
        }
        for look in 1..=LOOKS {
            match fs::remove_dir_all(folder) {
                Err(e) if e.kind() != ErrorKind::NotFound && look == LOOKS => {
                    log::warn!("cannot remove {}: {e}", folder.display());
                }
                _ if self.committed => break,
                _ => {}
            }
            std::thread::sleep(PAUSE);
            if !folder.exists() {
                break;
            }
        }
        for folder in &self.missing {
            // Someone else may have put something there.
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

/// What the names of all staging folders of `name` begin with.
fn prefix(name: &std::ffi::OsStr) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".copy-");
    prefix
}

/// Removes staging folders whose writers are gone. One that cannot be removed does no harm.
fn remove_stale(parent: &Path, prefix: &std::ffi::OsStr) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let named = entry.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes());
        if named && matches!(lock(&entry.path()), Ok(Some(_))) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::names;

    #[test]
    fn a_file_appears_with_its_commit_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new/deep/a.csv");
        let place = StagedPath::new(&target, false).unwrap();
        let write = place.begin().unwrap();
        fs::write(place.path(), "part").unwrap();
        assert!(!target.exists());
        drop(write);
        assert!(names(folder.path()).is_empty());
        for content in ["one", "two"] {
            let place = StagedPath::new(&target, false).unwrap();
            let write = place.begin().unwrap();
            fs::write(place.path(), content).unwrap();
            write.commit().unwrap();
            assert_eq!(fs::read_to_string(&target).unwrap(), content);
            assert_eq!(names(target.parent().unwrap()), ["a.csv"]);
        }
    }

    #[test]
    fn a_folder_appears_whole_and_is_never_mixed_with_another() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out");
        let place = StagedPath::new(&target, true).unwrap();
        let write = place.begin().unwrap();
        fs::create_dir(place.path().join("k=1")).unwrap();
        fs::write(place.path().join("k=1/a.csv"), "").unwrap();
        write.commit().unwrap();
        assert_eq!(names(&target), ["k=1"]);
        let error = StagedPath::new(&target, true).unwrap().begin().unwrap_err().to_string();
        assert!(error.contains("the folder is not empty"), "{error}");
        let device = StagedPath::new(Path::new("/dev/null"), false).unwrap().begin().unwrap_err().to_string();
        assert!(device.contains("neither a file nor a folder"), "{device}");
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn leftovers_of_killed_writers_go_and_those_of_living_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.csv");
        let stale = folder.path().join(".a.csv.copy-1-0");
        fs::create_dir(&stale).unwrap();
        fs::write(stale.join("a.csv"), "half").unwrap();
        let living = StagedPath::new(&target, false).unwrap();
        let write = living.begin().unwrap();
        assert!(!stale.exists());
        let other = StagedPath::new(&target, false).unwrap();
        drop(other.begin().unwrap());
        fs::write(living.path(), "whole").unwrap();
        write.commit().unwrap();
        assert_eq!(names(folder.path()), ["a.csv"]);
    }
}
