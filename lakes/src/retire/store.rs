//! The quarantine below a lake, and how files get there and back.
//!
//! `_limpid/retired/ID/` holds one table: `recipe.json`, what it names, the originals below `files/`, and `done` once all of
//! them are there. `ID.new` is being made, `ID.old` being removed: neither holds anything that counts. An `ID` without `done`
//! was cut short while files moved, in either direction: [`Store::recover`] moves what is there back into the lake.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use datafusion::common::{Result, exec_datafusion_err, exec_err};
use xxhash_rust::xxh3::xxh3_64;

use super::Hook;
use super::pin::{Pin, is_at};
use super::recipe::Recipe;
use crate::lake::discover::plain;

const FOLDER: &str = "_limpid";
const RETIRED: &str = "retired";
/// The mark of a table that is set aside as a whole.
const DONE: &str = "done";
/// The originals.
const FILES: &str = "files";
const NEW: &str = "new";
const OLD: &str = "old";

/// The quarantine of a lake, held by one process at a time.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    folder: PathBuf,
    _lock: File,
}

/// Writes a file that appears whole or not at all, and stays when the power goes.
///
/// # Errors
/// The folder cannot be written.
pub fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    write_synced_by(path, |file| Ok(file.write_all(bytes)?))
}

/// The same, by what `write` writes.
///
/// # Errors
/// The folder cannot be written; those of `write`.
pub fn write_synced_by(path: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let failed = |e: &dyn std::fmt::Display| exec_datafusion_err!("cannot write {}: {e}", path.display());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let mut file = File::create(&beside).map_err(|e| failed(&e))?;
    write(&mut file).map_err(|e| {
        drop(fs::remove_file(&beside));
        failed(&plain(&e.to_string()))
    })?;
    let appear = || {
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_folder(path)
    };
    appear().map_err(|e: std::io::Error| failed(&e))
}

/// Makes the names in the folder that holds `path` last.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Renames; never over something that is there.
fn move_file(from: &Path, to: &Path) -> std::io::Result<()> {
    if let Some(folder) = to.parent() {
        let new: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.is_dir()).collect();
        fs::create_dir_all(folder)?;
        new.into_iter().try_for_each(sync_folder)?;
    }
    match fs::hard_link(from, to) {
        Ok(()) => {
            sync_folder(to)?;
            fs::remove_file(from)?;
        }
        Err(e) if e.kind() == ErrorKind::AlreadyExists && is_same(from, to) => fs::remove_file(from)?,
        Err(e) if matches!(e.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => return Err(e),
        // File systems without links: between the look and the renaming another process could write there.
        Err(_) if to.exists() => return Err(ErrorKind::AlreadyExists.into()),
        Err(_) => {
            fs::rename(from, to)?;
            sync_folder(to)?;
        }
    }
    sync_folder(from)
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

impl Store {
    /// Opens the quarantine of the lake in `root` and puts back what a killed process left halfway.
    ///
    /// # Errors
    /// Another process works on it, or the folder cannot be written.
    pub fn open(root: &Path, hook: Hook<'_>) -> Result<Self> {
        let folder = Self::retired(root);
        let failed = |e: std::io::Error| exec_datafusion_err!("cannot write {}: {e}", folder.display());
        fs::create_dir_all(&folder).map_err(failed)?;
        let lock = File::create(root.join(FOLDER).join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => return exec_err!("another limpid works on {}", root.display()),
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let store = Self { root: root.to_owned(), folder, _lock: lock };
        store.recover(hook)?;
        Ok(store)
    }

    /// Where the tables of the lake in `root` are that are set aside.
    pub fn retired(root: &Path) -> PathBuf {
        root.join(FOLDER).join(RETIRED)
    }

    /// Whether an entry has its originals.
    pub fn has_files(entry: &Path) -> bool {
        entry.join(FILES).is_dir()
    }

    /// The lake's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn id(table: &str) -> String {
        format!("{:016x}", xxh3_64(table.as_bytes()))
    }

    /// Where a table is or would be.
    pub fn entry(&self, table: &str) -> PathBuf {
        self.folder.join(Self::id(table))
    }

    /// Where a file of an entry lies.
    pub fn aside(entry: &Path, pin: &Pin) -> PathBuf {
        entry.join(FILES).join(&pin.path)
    }

    /// The tables that are set aside, with their folders, by name.
    ///
    /// # Errors
    /// A recipe cannot be read.
    pub fn entries(&self) -> Result<Vec<(PathBuf, Recipe)>> {
        let mut found = vec![];
        for entry in self.folders()? {
            if entry.extension().is_none() {
                let recipe = Recipe::read(&entry)?;
                found.push((entry, recipe));
            }
        }
        found.sort_by(|a, b| a.1.table.cmp(&b.1.table));
        Ok(found)
    }

    fn folders(&self) -> Result<Vec<PathBuf>> {
        let failed = |e: std::io::Error| exec_datafusion_err!("cannot read {}: {e}", self.folder.display());
        let mut found = vec![];
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                found.push(path);
            }
        }
        Ok(found)
    }

    /// An empty folder to prepare an entry in.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn prepare(&self, table: &str) -> Result<PathBuf> {
        let path = self.entry(table).with_extension(NEW);
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir(&path)?;
        Ok(path)
    }

    /// Makes a prepared entry count, and moves the table's files into it.
    ///
    /// # Errors
    /// A file is not the one of the recipe, or cannot be moved. Then everything is where it was.
    pub fn set_aside(&self, prepared: &Path, recipe: &Recipe, hook: Hook<'_>) -> Result<()> {
        let entry = self.entry(&recipe.table);
        if entry.exists() {
            return exec_err!("{} is set aside already: restore it first", recipe.table);
        }
        for file in fs::read_dir(prepared)? {
            File::open(file?.path())?.sync_all()?;
        }
        sync_folder(&prepared.join(FILES))?;
        fs::rename(prepared, &entry)?;
        sync_folder(&entry)?;
        hook("the entry counts")?;
        let moved = self.move_out(&entry, recipe, hook);
        if let Err(error) = moved {
            if error.to_string().contains(KILLED) {
                return Err(error);
            }
            self.put_back(&entry, recipe, hook)?;
            return Err(error);
        }
        Ok(())
    }

    fn move_out(&self, entry: &Path, recipe: &Recipe, hook: Hook<'_>) -> Result<()> {
        for file in &recipe.files {
            let (from, to) = (self.root.join(&file.pin.path), Self::aside(entry, &file.pin));
            move_file(&from, &to).map_err(|e| exec_datafusion_err!("cannot set {} aside: {e}", file.pin.path))?;
            hook("a file is aside")?;
            if !is_at(&file.pin, &to)? {
                return exec_err!("{} was changed while it was set aside", file.pin.path);
            }
        }
        write_synced(&entry.join(DONE), b"")?;
        hook("all are aside")
    }

    /// Moves what an entry has of a table back into the lake, and removes the entry.
    ///
    /// # Errors
    /// Something else is at its place: then the files stay where they are.
    pub fn put_back(&self, entry: &Path, recipe: &Recipe, hook: Hook<'_>) -> Result<()> {
        let done = entry.join(DONE);
        if done.exists() {
            fs::remove_file(&done)?;
            sync_folder(&done)?;
            hook("the entry is open")?;
        }
        for file in &recipe.files {
            let (from, to) = (Self::aside(entry, &file.pin), self.root.join(&file.pin.path));
            if from.exists() {
                move_file(&from, &to).map_err(|e| {
                    exec_datafusion_err!("cannot put {} back, it stays at {}: {e}", file.pin.path, from.display())
                })?;
                hook("a file is back")?;
            }
        }
        self.forget(entry, hook)
    }

    /// Removes an entry that holds nothing any more.
    fn forget(&self, entry: &Path, hook: Hook<'_>) -> Result<()> {
        let old = entry.with_extension(OLD);
        fs::rename(entry, &old)?;
        sync_folder(&old)?;
        hook("the entry is gone")?;
        fs::remove_dir_all(&old)?;
        Ok(())
    }

    /// Deletes the originals of an entry, whose recipe was just rehearsed.
    ///
    /// # Errors
    /// They cannot be removed.
    pub fn free(&self, entry: &Path, hook: Hook<'_>) -> Result<()> {
        let (files, gone) = (entry.join(FILES), entry.join("freed"));
        fs::rename(&files, &gone)?;
        sync_folder(&gone)?;
        hook("the originals are freed")?;
        fs::remove_dir_all(&gone)?;
        Ok(())
    }

    /// Makes rebuilt files the originals of an entry.
    ///
    /// # Errors
    /// They cannot be renamed.
    pub fn adopt(&self, entry: &Path, rebuilt: &Path, hook: Hook<'_>) -> Result<()> {
        let files = entry.join(FILES);
        if files.exists() {
            fs::remove_dir_all(&files)?;
        }
        fs::rename(rebuilt, &files)?;
        sync_folder(&files)?;
        hook("the rebuilt files are there")
    }

    /// Ends what a killed process left.
    fn recover(&self, hook: Hook<'_>) -> Result<()> {
        for entry in self.folders()? {
            match entry.extension().and_then(|extension| extension.to_str()) {
                Some(NEW | OLD) => fs::remove_dir_all(&entry)?,
                None if entry.join(DONE).exists() => {
                    for left in ["freed", "rebuilt", "rehearsal"].map(|name| entry.join(name)) {
                        if left.exists() {
                            fs::remove_dir_all(left)?;
                        }
                    }
                }
                None => {
                    let recipe = Recipe::read(&entry)?;
                    log::warn!("{}: a change of it was cut short; it is put back", recipe.table);
                    self.put_back(&entry, &recipe, hook)?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// What a test's hook says to stop as if the process had been killed.
pub const KILLED: &str = "killed here";
