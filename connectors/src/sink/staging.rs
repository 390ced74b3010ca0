//! The commit of a folder: everything is written to a staging folder beside the target and takes its name at the end.
//!
//! `NAME` is committed through `.NAME.staging-PID-N`. Where the system can exchange two names at once, an older `NAME` and the
//! new one trade places, so that the name always stands for a complete folder; elsewhere the older one steps aside as
//! `.NAME.old-PID-N` for a moment, and the next writer puts it back should the process die right then. The staging folder is
//! locked while its writer lives: one found unlocked is what a killed process left, and is removed.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::execution::SendableRecordBatchStream;

use super::atomic_file::sync_folder;
use super::hashing::write_error;
use super::manifest::{MANIFEST, Manifest, foreign_files};
use super::write::{WriteOptions, write_parts};

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A folder that is only ever seen complete.
#[derive(Debug, Clone)]
pub struct AtomicDir {
    target: PathBuf,
}

impl AtomicDir {
    /// The folder `target`, which need not exist.
    pub fn new(target: impl Into<PathBuf>) -> Self {
        Self { target: target.into() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.target
    }

    /// Writes `stream` and makes it the content of the folder; `extra` goes into the manifest.
    ///
    /// The files depend on the rows and `options` only, not on how the stream cuts rows into batches.
    ///
    /// # Errors
    /// Those of the stream and of [`begin`](Self::begin), and any error of the file system, with the path. Then the folder is
    /// as it was and the staging folder is gone.
    pub async fn write(
        &self,
        stream: SendableRecordBatchStream,
        options: &WriteOptions,
        extra: serde_json::Value,
    ) -> Result<Manifest> {
        let target = self.clone();
        let staging = blocking(move || target.begin()).await?;
        let schema = stream.schema();
        let files = write_parts(staging.path(), stream, options).await?;
        let manifest = Manifest::new(options.format.to_string(), &schema, files, extra);
        blocking(move || staging.commit(&manifest).map(|()| manifest)).await
    }

    /// Removes what killed writers left beside the folder, and opens a new staging folder.
    ///
    /// # Errors
    /// Another process is writing the folder; its name is taken by a file, or by a folder that limpid did not write; any
    /// error of the file system.
    pub fn begin(&self) -> Result<Staging> {
        let target = match fs::symlink_metadata(&self.target) {
            // A link stays; what it points to is replaced.
            Ok(metadata) if metadata.is_symlink() => {
                self.target.canonicalize().map_err(|e| write_error(&self.target, &e))?
            }
            _ => std::path::absolute(&self.target).map_err(|e| write_error(&self.target, &e))?,
        };
        let Some((parent, name)) = target.parent().zip(target.file_name()) else {
            return exec_err!("cannot write {}: it has no name that a finished folder could take", target.display());
        };
        let name = name.to_string_lossy().into_owned();
        fs::create_dir_all(parent).map_err(|e| write_error(parent, &e))?;
        recover(&target, parent, &name)?;
        check_replaceable(&target)?;
        let unique = format!("{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let path = parent.join(format!(".{name}.staging-{unique}"));
        fs::create_dir(&path).map_err(|e| write_error(&path, &e))?;
        let mut staging = Staging { aside: parent.join(format!(".{name}.old-{unique}")), target, path, lock: None };
        staging.lock = lock(&staging.path)?;
        if staging.lock.is_none() {
            return exec_err!("cannot write {}: someone else holds it", staging.path.display());
        }
        crash_point("staged");
        Ok(staging)
    }
}

/// A folder being written. Dropped before [`commit`](Self::commit), it disappears.
#[derive(Debug)]
pub struct Staging {
    target: PathBuf,
    path: PathBuf,
    aside: PathBuf,
    lock: Option<File>,
}

impl Staging {
    /// The folder to write files into.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the manifest and gives the folder its name. The files in it must be on disk already.
    ///
    /// # Errors
    /// Any error of the file system, with the path; the target is then as it was.
    pub fn commit(self, manifest: &Manifest) -> Result<()> {
        let failed = |e: &dyn std::fmt::Display| write_error(&self.target, e);
        let text = serde_json::to_vec_pretty(manifest).map_err(|e| failed(&e))?;
        super::atomic_file(&self.path.join(MANIFEST), |file| {
            std::io::Write::write_all(file, &text).map_err(|e| failed(&e))
        })?;
        sync_folder(&self.path).map_err(|e| failed(&e))?;
        crash_point("manifest");
        self.take_name().map_err(|e| failed(&e))?;
        crash_point("named");
        let parent = self.target.parent().unwrap_or_else(|| Path::new("."));
        sync_folder(parent).map_err(|e| failed(&e))
        // The older folder, now under the staging or the aside name, goes with `self`.
    }

    fn take_name(&self) -> std::io::Result<()> {
        // Not only an optimisation: a rename onto an existing folder works only while that is empty.
        if !self.target.exists() {
            return fs::rename(&self.path, &self.target);
        }
        match exchange(&self.path, &self.target) {
            Err(e) if matches!(e.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput) => {
                fs::rename(&self.target, &self.aside)?;
                crash_point("aside");
                fs::rename(&self.path, &self.target).inspect_err(|_| {
                    // The target must not stay without its content.
                    if let Err(e) = fs::rename(&self.aside, &self.target) {
                        log::error!("the older {} stays at {}: {e}", self.target.display(), self.aside.display());
                    }
                })
            }
            result => result,
        }
    }
}

impl Drop for Staging {
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
fn exchange(a: &Path, b: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// The lock of a staging folder; `None` when another process holds it. Where folders cannot be locked, everyone gets it.
pub(super) fn lock(path: &Path) -> Result<Option<File>> {
    let folder = File::open(path).map_err(|e| write_error(path, &e))?;
    match folder.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(None),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(folder)),
    }
}

/// Puts back or removes what killed writers of `target` left.
fn recover(target: &Path, parent: &Path, name: &str) -> Result<()> {
    let failed = |e: &dyn std::fmt::Display| exec_datafusion_err!("cannot clean up beside {}: {e}", target.display());
    let mut left: Vec<String> = Vec::new();
    for entry in fs::read_dir(parent).map_err(|e| failed(&e))? {
        let name = entry.map_err(|e| failed(&e))?.file_name();
        left.extend(name.to_str().map(str::to_owned));
    }
    // Staging folders first: their locks tell whether the writer of a folder that stepped aside still lives.
    let staging = left.iter().filter(|left| left.starts_with(&format!(".{name}.staging-")));
    let aside = left.iter().filter(|left| left.starts_with(&format!(".{name}.old-")));
    for (is_aside, left) in staging.map(|left| (false, left)).chain(aside.map(|left| (true, left))) {
        let path = parent.join(left);
        if is_aside && !target.exists() {
            fs::rename(&path, target).map_err(|e| failed(&e))?;
            continue;
        }
        match lock(&path) {
            Ok(Some(_)) => {}
            // Its writer has just finished.
            Err(_) if !path.exists() => continue,
            Err(e) => return Err(e),
            Ok(None) => {
                return exec_err!(
                    "cannot write {}: another process is writing it (it holds {})",
                    target.display(),
                    path.display()
                );
            }
        }
        match fs::remove_dir_all(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(failed(&e)),
            _ => {}
        }
    }
    Ok(())
}

/// Only what limpid wrote, or an empty folder, may be replaced.
fn check_replaceable(target: &Path) -> Result<()> {
    match fs::metadata(target) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(write_error(target, &e)),
        Ok(metadata) if !metadata.is_dir() => {
            return exec_err!("cannot write {}: there is a file of that name, a folder is needed", target.display());
        }
        Ok(_) => {}
    }
    let mut entries = fs::read_dir(target).map_err(|e| write_error(target, &e))?;
    if entries.next().is_some() && !target.join(MANIFEST).exists() {
        return exec_err!(
            "cannot write {}: it holds files and no {MANIFEST}, so limpid did not write it and will not replace it",
            target.display()
        );
    }
    match foreign_files(target)? {
        None => Ok(()),
        Some(names) => exec_err!(
            "cannot replace {}: it holds files that limpid did not write: {names}; move them elsewhere",
            target.display()
        ),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    SpawnedTask::spawn_blocking(work).await.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))?
}

/// Where the tests of this crate kill the process.
#[cfg(test)]
pub(super) fn crash_point(name: &str) {
    if std::env::var("LIMPID_TEST_CRASH_AT").is_ok_and(|wanted| wanted == name) {
        std::process::abort();
    }
}

#[cfg(not(test))]
pub(super) fn crash_point(_name: &str) {}
