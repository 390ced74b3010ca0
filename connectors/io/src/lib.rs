//! Files and folders that appear whole or not at all, and outlast a loss of power.
//!
//! This is the only crate that renames files and asks the system to put them on disk. Everything is written under a hidden name
//! first, put on disk, and then renamed; the folder that holds the name is put on disk last.
//!
//! | you have | use |
//! |---|---|
//! | the bytes of a file | [`write`], or [`write_new`] to leave an older file alone |
//! | code that writes to a [`Write`](std::io::Write) | [`write_with`], or [`NewFile`] when it is written bit by bit |
//! | a file or folder that is finished under another name | [`commit`] |
//! | a writer that takes a path | [`StagedPath`] |
//! | a folder that replaces an older one | [`StagedFolder`] |
//! | an existing file to move or remove | [`rename`], [`move_new`], [`remove_file`] |
//!
//! Functions return the plain [`std::io::Error`], and the caller says which file it was about. The staged types touch several paths,
//! so their [`Error`] names the path.

mod disk;
mod error;
mod file;
mod staged_folder;
mod staged_path;
#[cfg(test)]
mod testing;

pub use disk::{commit, create_dir_all, move_new, remove_file, rename, sync_file, sync_folder, sync_tree};
pub use error::{Error, Result};
pub use file::{NewFile, is_unfinished, remove_abandoned, write, write_new, write_with};
pub use staged_folder::StagedFolder;
pub use staged_path::{StagedPath, StagedWrite, remove_uncommitted};
