//! What can go wrong with a staged file or folder.

use std::io;
use std::path::{Path, PathBuf};

/// Result of a staged write.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a staged write, with the path.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused something.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What a killed writer left could not be removed.
    #[error("cannot clean up beside {}: {source}", path.display())]
    CleanUp {
        /// The target.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The target may not be written.
    #[error("cannot write {}: {reason}", path.display())]
    Refused {
        /// The target.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl Error {
    /// What went wrong, without the path.
    pub fn reason(&self) -> String {
        match self {
            Self::Io { source, .. } | Self::CleanUp { source, .. } => source.to_string(),
            Self::Refused { reason, .. } => reason.clone(),
        }
    }

    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn clean_up(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::CleanUp { path: path.to_owned(), source }
    }

    pub(crate) fn refused(path: &Path, reason: impl Into<String>) -> Self {
        Self::Refused { path: path.to_owned(), reason: reason.into() }
    }
}
