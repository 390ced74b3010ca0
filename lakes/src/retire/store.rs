//! The quarantine of a lake, and how files are moved there and back.
//!
//! `_limpid/retired/ID/` holds one table: `recipe.json`, the files it names, the originals below `files/`, and `done` once
//! all originals are there. `ID.new` is being created and `ID.old` is being removed; neither holds anything of value. An `ID`
//! without `done` was interrupted while files moved, in either direction: `Store::recover` moves its files back into the
//! lake.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use datafusion::common::{Result, exec_datafusion_err, exec_err};
use limpid_failpoints::fail_point;
use xxhash_rust::xxh3::xxh3_64;

use super::pin::{Pin, is_at};
use super::recipe::Recipe;

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

impl Store {
    /// Opens the quarantine of the lake in `root` and puts back what a killed process left halfway.
    ///
    /// # Errors
    /// Another process works on it, or the folder cannot be written.
    pub fn open(root: &Path) -> Result<Self> {
        let folder = Self::retired(root);
        let failed = |e: std::io::Error| exec_datafusion_err!("cannot write {}: {e}", folder.display());
        limpid_io::create_dir_all(&folder).map_err(failed)?;
        let lock = File::create(root.join(FOLDER).join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => return exec_err!("another limpid works on {}", root.display()),
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let store = Self { root: root.to_owned(), folder, _lock: lock };
        store.recover()?;
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

    /// Makes a prepared entry valid and moves the table's files into it.
    ///
    /// # Errors
    /// A file is not the one of the recipe, or cannot be moved. Everything is then moved back.
    pub fn set_aside(&self, prepared: &Path, recipe: &Recipe) -> Result<()> {
        let entry = self.entry(&recipe.table);
        if entry.exists() {
            return exec_err!("{} is set aside already: restore it first", recipe.table);
        }
        limpid_io::commit(prepared, &entry)?;
        fail_point!("retire::entry-named");
        if let Err(error) = self.move_out(&entry, recipe) {
            self.put_back(&entry, recipe)?;
            return Err(error);
        }
        Ok(())
    }

    fn move_out(&self, entry: &Path, recipe: &Recipe) -> Result<()> {
        for file in &recipe.files {
            let (from, to) = (self.root.join(&file.pin.path), Self::aside(entry, &file.pin));
            limpid_io::move_new(&from, &to)
                .map_err(|e| exec_datafusion_err!("cannot set {} aside: {e}", file.pin.path))?;
            fail_point!("retire::file-aside");
            if !is_at(&file.pin, &to)? {
                return exec_err!("{} was changed while it was set aside", file.pin.path);
            }
        }
        limpid_io::write(entry.join(DONE), b"")?;
        fail_point!("retire::all-aside");
        Ok(())
    }

    /// Moves the files of an entry back into the lake and removes the entry.
    ///
    /// # Errors
    /// Something else has taken their place. The files then stay where they are.
    pub fn put_back(&self, entry: &Path, recipe: &Recipe) -> Result<()> {
        let done = entry.join(DONE);
        if done.exists() {
            limpid_io::remove_file(&done)?;
            fail_point!("retire::entry-opened");
        }
        for file in &recipe.files {
            let (from, to) = (Self::aside(entry, &file.pin), self.root.join(&file.pin.path));
            if from.exists() {
                limpid_io::move_new(&from, &to).map_err(|e| {
                    exec_datafusion_err!("cannot put {} back, it stays at {}: {e}", file.pin.path, from.display())
                })?;
                fail_point!("retire::file-back");
            }
        }
        self.forget(entry)
    }

    /// Removes an entry that holds nothing any more.
    fn forget(&self, entry: &Path) -> Result<()> {
        let old = entry.with_extension(OLD);
        limpid_io::rename(entry, &old)?;
        fail_point!("retire::entry-closed");
        fs::remove_dir_all(&old)?;
        Ok(())
    }

    /// Deletes the originals of an entry, whose recipe was just rehearsed.
    ///
    /// # Errors
    /// They cannot be removed.
    pub fn free(&self, entry: &Path) -> Result<()> {
        let (files, gone) = (entry.join(FILES), entry.join("freed"));
        limpid_io::rename(&files, &gone)?;
        fail_point!("retire::originals-freed");
        fs::remove_dir_all(&gone)?;
        Ok(())
    }

    /// Makes rebuilt files the originals of an entry.
    ///
    /// # Errors
    /// They cannot be renamed.
    pub fn adopt(&self, entry: &Path, rebuilt: &Path) -> Result<()> {
        let files = entry.join(FILES);
        if files.exists() {
            fs::remove_dir_all(&files)?;
        }
        limpid_io::commit(rebuilt, &files)?;
        fail_point!("retire::rebuilt-adopted");
        Ok(())
    }

    /// Ends what a killed process left.
    fn recover(&self) -> Result<()> {
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
                    self.put_back(&entry, &recipe)?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}
