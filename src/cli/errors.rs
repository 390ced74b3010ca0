//! How a command can end badly.

use std::io::Write;
use std::process::ExitCode;

use arrow::error::ArrowError;
use datafusion::common::DataFusionError;

use crate::selection::error::SelectionError;
pub use crate::session::errors::{Message, plain};

/// Why a command ended before its end.
#[derive(Debug)]
pub enum Failure {
    /// The query or its input was wrong: exit code 1.
    Error(Box<Message>),
    /// The command line was wrong: exit code 2.
    Usage(String),
    /// Ctrl-C (130) or a request to terminate (143).
    Interrupted(u8),
    /// Who read the output has read enough: exit code 0.
    ClosedOutput,
    /// Said already: exit code 1 without a word.
    Reported,
}

impl Failure {
    /// An error of the query or its input.
    pub fn error(text: impl Into<String>) -> Self {
        Self::Error(Box::new(Message { text: text.into(), place: None, unreadable: false }))
    }

    /// Says what happened on standard error and gives the exit code.
    pub fn report(&self) -> ExitCode {
        match self {
            Self::Error(message) => {
                note(&format!("error: {}", message.text));
                ExitCode::from(1)
            }
            Self::Usage(text) => {
                note(&format!("error: {text}\n\nFor more information, try '--help'."));
                ExitCode::from(2)
            }
            Self::Interrupted(code) => ExitCode::from(*code),
            Self::ClosedOutput => ExitCode::SUCCESS,
            Self::Reported => ExitCode::from(1),
        }
    }
}

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Self {
        Self::Error(Box::new(plain(&error)))
    }
}

impl From<ArrowError> for Failure {
    fn from(error: ArrowError) -> Self {
        Self::from(DataFusionError::from(error))
    }
}

impl From<SelectionError> for Failure {
    fn from(error: SelectionError) -> Self {
        match error {
            SelectionError::Engine(error) => error.into(),
            SelectionError::Io(error) => error.into(),
            SelectionError::Invalid(text) => Self::error(text),
        }
    }
}

impl From<limpid_encoders::Error> for Failure {
    fn from(error: limpid_encoders::Error) -> Self {
        Self::error(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe { Self::ClosedOutput } else { Self::error(error.to_string()) }
    }
}

/// One line on standard error; a closed standard error is no error.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
