//! Errors of jobs, in terms that their authors understand.

use std::fmt;
use std::path::{Path, PathBuf};

use datafusion::common::DataFusionError;

use crate::session::errors::plain;

/// Result of a job function.
pub type Result<T, E = JobError> = std::result::Result<T, E>;

/// An error of a job.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The job file, or something it names, is wrong. Nothing ran.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<Problem>),
    /// A statement failed while it ran.
    #[error("job `{job}`, {place}: {}\n  statement: {sql}", words(source))]
    Statement {
        /// Name of the job.
        job: String,
        /// ``step `x` ``, ``check `x` `` or `sink`.
        place: String,
        /// The statement as it ran.
        sql: String,
        /// The error of the engine.
        source: DataFusionError,
    },
    /// Checks returned rows; the sink was not written.
    #[error("job `{job}`: {failed}\nThe sink was not written.")]
    Checks {
        /// Name of the job.
        job: String,
        /// Each failed check with its first rows.
        failed: String,
    },
    /// A file or folder could not be used.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// The attempted operation: `read`, `create`, ...
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The engine failed outside of any statement of the job.
    #[error("{}", words(.0))]
    Engine(#[from] DataFusionError),
    /// Anything else, in one sentence.
    #[error("{0}")]
    Other(String),
}

impl JobError {
    /// Builds an I/O error with the operation and the path.
    pub fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { what, path, source }
    }
}

/// One mistake in a job file.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The job file.
    pub file: PathBuf,
    /// Line in the file, from 1; 0 if there is none.
    pub line: u64,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file.display(), self.message),
            line => write!(f, "{}:{line}: {}", self.file.display(), self.message),
        }
    }
}

/// The mistakes found so far in one job file.
#[derive(Debug)]
pub struct Problems {
    file: PathBuf,
    found: Vec<Problem>,
}

impl Problems {
    /// Starts without problems in `file`.
    pub fn new(file: &Path) -> Self {
        Self { file: file.to_path_buf(), found: Vec::new() }
    }

    /// Records a problem at `line` (0: the whole file).
    pub fn add(&mut self, line: u64, message: impl Into<String>) {
        self.found.push(Problem { file: self.file.clone(), line, message: message.into() });
    }

    /// Returns an error with all problems, in file order, if there are any.
    pub fn check(&mut self) -> Result<()> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|problem| problem.line);
        Err(JobError::Invalid(std::mem::take(&mut self.found)))
    }
}

/// The engine's error in plain language.
pub fn words(error: &DataFusionError) -> String {
    plain(error).text
}
