//! Why a report could not be made.

use std::path::PathBuf;

/// An error of a report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The page's template failed.
    #[error("the report page could not be rendered: {0}")]
    Template(#[from] minijinja::Error),
    /// A picture could not be drawn.
    #[error("the plot '{title}' of the report could not be drawn: {message}")]
    Plot {
        /// The plot's title.
        title: &'static str,
        /// What the drawing library said.
        message: String,
    },
    /// The file could not be written.
    #[error("the report could not be written to {}: {source}", path.display())]
    Write {
        /// The file asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
