//! A folder that replaces an older one: it is written beside the target and takes its name at the end.
//!
//! `NAME` is committed through `.NAME.staging-PID-N`. Where the system can exchange two names at once, an older `NAME` and the
//! new one trade places, so that the name always stands for a complete folder; elsewhere the older one steps aside as
//! `.NAME.old-PID-N` for a moment, and the next writer puts it back should the process die right then. The staging folder is
//! locked while its writer lives: one found unlocked is what a killed process left, and is removed.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk::{self, parent, sync_folder};
use crate::error::{Error, Result};

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A folder that is being written. Dropped before it is [committed](Self::commit), it disappears.
#[derive(Debug)]
pub struct StagedFolder {
    target: PathBuf,
    path: PathBuf,
    aside: PathBuf,
    lock: Option<File>,
}

impl StagedFolder {
    /// Removes what killed writers left beside `target`, which need not exist, and opens a new staging folder.
    ///
    /// # Errors
    /// Another process is writing the folder; the path has no name; any error of the file system.
    pub fn begin(target: &Path) -> Result<Self> {
        let absolute = disk::target(target).map_err(Error::io(target))?;
        let Some((parent, name)) = absolute.parent().zip(absolute.file_name()) else {
            return Err(Error::refused(target, "it has no name that a finished folder could take"));
        };
        let name = name.to_string_lossy().into_owned();
        disk::create_dir_all(parent).map_err(Error::io(parent))?;
        recover(&absolute, parent, &name)?;
        let unique = format!("{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let path = parent.join(format!(".{name}.staging-{unique}"));
        fs::create_dir(&path).map_err(Error::io(&path))?;
        let aside = parent.join(format!(".{name}.old-{unique}"));
        let mut staging = Self { aside, target: absolute, path, lock: None };
        staging.lock = lock(&staging.path)?;
        match staging.lock {
            Some(_) => Ok(staging),
            None => Err(Error::refused(&staging.path, "someone else holds it")),
        }
    }

    /// The folder to write files into.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that will be there, absolute and without links.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Gives the folder its name. The files in it must be on disk already. An older folder of that name is removed when this is
    /// dropped.
    ///
    /// # Errors
    /// Any error of the file system; the target is then as it was.
    pub fn commit(&self) -> Result<()> {
        let failed = Error::io(&self.target);
        sync_folder(&self.path).map_err(&failed)?;
        self.take_name().map_err(&failed)?;
        sync_folder(parent(&self.target)).map_err(&failed)
    }

    fn take_name(&self) -> io::Result<()> {
        // Not only an optimisation: a rename onto an existing folder works only while that is empty.
        if !self.target.exists() {
            return fs::rename(&self.path, &self.target);
        }
        match exchange(&self.path, &self.target) {
            Err(e) if matches!(e.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput) => self.step_aside(),
            result => result,
        }
    }

    /// Takes the place of the older folder where two names cannot be exchanged.
    fn step_aside(&self) -> io::Result<()> {
        fs::rename(&self.target, &self.aside)?;
        fs::rename(&self.path, &self.target).inspect_err(|_| {
            // The target must not stay without its content.
            if let Err(e) = fs::rename(&self.aside, &self.target) {
                log::error!("the older {} stays at {}: {e}", self.target.display(), self.aside.display());
            }
        })
    }
}

impl Drop for StagedFolder {
    fn drop(&mut self) {
        for path in [&self.path, &self.aside] {
            // The aside folder is the only copy as long as the target is missing.
            if path == &self.aside && !self.target.exists() {
                continue;
            }
            match fs::remove_dir_all(path) {
                Err(e) if e.kind() != ErrorKind::NotFound => log::warn!("cannot remove {}: {e}", path.display()),
                _ => {}
            }
        }
    }
}

/// Swaps two names at once.
#[cfg(target_os = "linux")]
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// The lock of a staging folder; `None` when another process holds it. Where folders cannot be locked, everyone gets it.
pub(crate) fn lock(path: &Path) -> Result<Option<File>> {
    let folder = File::open(path).map_err(Error::io(path))?;
    match folder.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(None),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(folder)),
    }
}

/// Puts back or removes what killed writers of `target` left.
fn recover(target: &Path, parent: &Path, name: &str) -> Result<()> {
    let failed = Error::clean_up(target);
    let mut left: Vec<String> = Vec::new();
    for entry in fs::read_dir(parent).map_err(&failed)? {
        let name = entry.map_err(&failed)?.file_name();
        left.extend(name.to_str().map(str::to_owned));
    }
    // Staging folders first: their locks tell whether the writer of a folder that stepped aside still lives.
    let staging = left.iter().filter(|left| left.starts_with(&format!(".{name}.staging-")));
    let aside = left.iter().filter(|left| left.starts_with(&format!(".{name}.old-")));
    for (is_aside, left) in staging.map(|left| (false, left)).chain(aside.map(|left| (true, left))) {
        let path = parent.join(left);
        if is_aside && !target.exists() {
            disk::rename(&path, target).map_err(&failed)?;
            continue;
        }
        match lock(&path) {
            Ok(Some(_)) => {}
            // Its writer has just finished.
            Err(_) if !path.exists() => continue,
            Err(e) => return Err(e),
            Ok(None) => {
                let reason = format!("another process is writing it (it holds {})", path.display());
                return Err(Error::refused(target, reason));
            }
        }
        match fs::remove_dir_all(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::names;

    fn staged(target: &Path, text: &str) -> StagedFolder {
        let staging = StagedFolder::begin(target).unwrap();
        fs::write(staging.path().join("file"), text).unwrap();
        staging
    }

    #[test]
    fn a_folder_replaces_an_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new/out");
        for text in ["one", "two"] {
            staged(&target, text).commit().unwrap();
            assert_eq!(fs::read_to_string(target.join("file")).unwrap(), text);
        }
        drop(staged(&target, "three"));
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "two");
        assert_eq!(names(target.parent().unwrap()), ["out"]);
    }

    #[test]
    fn a_folder_replaces_an_older_one_where_names_cannot_be_exchanged() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out");
        staged(&target, "one").commit().unwrap();
        let staging = staged(&target, "two");
        staging.step_aside().unwrap();
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "two");
        drop(staging);
        assert_eq!(names(folder.path()), ["out"]);
        // Killed between the two steps: the next writer finds the older folder beside its place.
        fs::rename(&target, folder.path().join(".out.old-1-0")).unwrap();
        drop(staged(&target, "three"));
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "two");
        // The new folder cannot take the name: the older one comes back.
        let staging = staged(&target, "four");
        fs::remove_dir_all(staging.path()).unwrap();
        staging.step_aside().unwrap_err();
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "two");
    }

    #[test]
    fn two_writers_do_not_meet() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out");
        let living = staged(&target, "one");
        let error = StagedFolder::begin(&target).unwrap_err().to_string();
        assert!(error.contains("another process is writing it"), "{error}");
        drop(living);
        StagedFolder::begin(&target).unwrap();
        assert!(names(folder.path()).is_empty());
    }
}
