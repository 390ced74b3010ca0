//! What can go wrong while rows are selected.

use arrow::error::ArrowError;
use datafusion::common::DataFusionError;

/// Result of a selection.
pub type Result<T, E = SelectionError> = std::result::Result<T, E>;

/// An error of a selection.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// A query failed.
    #[error(transparent)]
    Engine(#[from] DataFusionError),
    /// A file could not be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The recipe, its arguments or the rows are wrong.
    #[error("{0}")]
    Invalid(String),
}

impl SelectionError {
    /// An error in one sentence.
    pub fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }
}

impl From<ArrowError> for SelectionError {
    fn from(error: ArrowError) -> Self {
        Self::Engine(error.into())
    }
}
