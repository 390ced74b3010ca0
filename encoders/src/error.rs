//! What can go wrong, in the user's words.

use std::path::{Path, PathBuf};

/// The result of anything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// No model has that name.
    #[error("there is no model '{name}': neither a folder of that path nor in {}; `limpid models list` shows those there are", searched.display())]
    NoModel {
        /// What was asked for.
        name: String,
        /// Where models are kept.
        searched: PathBuf,
    },
    /// A file is missing or cannot be read or written.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        message: String,
    },
    /// `model.toml` says something that is not allowed.
    #[error("{}: {message}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// The model file is no ONNX model, or one that cannot be run.
    #[error("{}: not a model that can be run: {message}", path.display())]
    Onnx {
        /// The file.
        path: PathBuf,
        /// What the runtime said.
        message: String,
    },
    /// The inputs or outputs of the model are not those of an encoder.
    #[error("{}: {message}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// What was found and what is needed.
        message: String,
    },
    /// The tokenizer cannot be read, or is of a kind that is not built in.
    #[error("{}: {message}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The tokenizer has tokens that the model does not know.
    #[error("{}: the tokenizer does not fit the model, which does not know token {token} of {tokens}: {message}", path.display())]
    Misfit {
        /// The tokenizer's file.
        path: PathBuf,
        /// The last token.
        token: u32,
        /// The size of the vocabulary.
        tokens: usize,
        /// What the model's table is, or what the runtime said.
        message: String,
    },
    /// There is nothing that runs ONNX models.
    #[error(
        "ONNX models need libonnxruntime (1.24 or later): {0}. Install it with `pip install onnxruntime`, or name the library in ORT_DYLIB_PATH; a limpid built with `--features tract` needs none"
    )]
    NoRuntime(String),
    /// The device is not one that is known.
    #[error("unknown device '{0}': it must be cpu, cuda, cuda:N, tensorrt, tensorrt:N, coreml, directml or directml:N")]
    UnknownDevice(String),
    /// The device was asked for and cannot be used.
    #[error("device '{device}' cannot be used: {message}")]
    NoDevice {
        /// What was asked for.
        device: String,
        /// Why not.
        message: String,
    },
    /// That is no model of the hub.
    #[error("'{0}' is no model of the hub: write hf://organisation/name or hf://organisation/name@revision")]
    Source(String),
    /// A download failed.
    #[error("{url}: {message}")]
    Download {
        /// What was asked for.
        url: String,
        /// Why it did not come.
        message: String,
    },
    /// The model has no prompt of that name.
    #[error("model '{model}' has no prompt '{prompt}'; it has {known}")]
    NoPrompt {
        /// Its name.
        model: String,
        /// What was asked for.
        prompt: String,
        /// Which there are.
        known: String,
    },
    /// The model does something else.
    #[error("model '{model}' is {is}; {needed} is needed here")]
    Modality {
        /// Its name.
        model: String,
        /// What it is for.
        is: &'static str,
        /// What was needed.
        needed: &'static str,
    },
    /// The bytes are no image.
    #[error("image {row}: {message}")]
    Image {
        /// Which of those given, from 0.
        row: usize,
        /// What is wrong.
        message: String,
    },
    /// The model failed on an input.
    #[error("model '{model}' failed: {message}")]
    Run {
        /// Its name.
        model: String,
        /// What the runtime said.
        message: String,
    },
}

impl Error {
    /// The same of a file in `to` where it is of one in `from`: people know the folder they gave, not the copy that was tried.
    pub(crate) fn moved(mut self, from: &Path, to: &Path) -> Self {
        if let Self::File { path, .. }
        | Self::Settings { path, .. }
        | Self::Onnx { path, .. }
        | Self::Shape { path, .. }
        | Self::Tokenizer { path, .. }
        | Self::Misfit { path, .. } = &mut self
            && let Ok(rest) = path.strip_prefix(from)
        {
            *path = to.join(rest);
        }
        self
    }

    pub(crate) fn file(path: impl Into<PathBuf>, error: &std::io::Error) -> Self {
        Self::File { path: path.into(), message: error.to_string() }
    }
}
