//! Errors, in terms that users understand.

use std::path::{Path, PathBuf};

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The errors of this crate.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no model of that name.
    #[error("there is no model '{name}': neither a folder of that path nor in {}; `limpid models list` shows those there are", searched.display())]
    NoModel {
        /// The requested name.
        name: String,
        /// The folder that was searched.
        searched: PathBuf,
    },
    /// A file is missing or cannot be read or written.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The message of the operating system.
        message: String,
    },
    /// `model.toml` contains an invalid setting.
    #[error("{}: {message}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// The model file is not an ONNX model, or cannot be run.
    #[error("{}: not a model that can be run: {message}", path.display())]
    Onnx {
        /// The file.
        path: PathBuf,
        /// The message of the runtime.
        message: String,
    },
    /// The inputs or outputs of the model are not those of an encoder.
    #[error("{}: {message}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// What was found and what is required.
        message: String,
    },
    /// The tokenizer cannot be read, or its kind is not supported by this build.
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
        /// What the model's table holds, or the message of the runtime.
        message: String,
    },
    /// No runtime for ONNX models was found.
    #[error(
        "ONNX models need libonnxruntime (1.24 or later): {0}. Install it with `pip install onnxruntime`, or name the library in ORT_DYLIB_PATH; a limpid built with `--features tract` needs none"
    )]
    NoRuntime(String),
    /// The device is unknown.
    #[error("unknown device '{0}': it must be cpu, cuda, cuda:N, tensorrt, tensorrt:N, coreml, directml or directml:N")]
    UnknownDevice(String),
    /// The requested device cannot be used.
    #[error("device '{device}' cannot be used: {message}")]
    NoDevice {
        /// The requested device.
        device: String,
        /// The reason.
        message: String,
    },
    /// The text does not name a model of the hub.
    #[error("'{0}' is no model of the hub: write hf://organisation/name or hf://organisation/name@revision")]
    Source(String),
    /// A download failed.
    #[error("{url}: {message}")]
    Download {
        /// The requested URL.
        url: String,
        /// The reason.
        message: String,
    },
    /// The model has no prompt of that name.
    #[error("model '{model}' has no prompt '{prompt}'; it has {known}")]
    NoPrompt {
        /// Name of the model.
        model: String,
        /// The requested prompt.
        prompt: String,
        /// The existing prompts.
        known: String,
    },
    /// The model has another modality.
    #[error("model '{model}' is {is}; {needed} is needed here")]
    Modality {
        /// Name of the model.
        model: String,
        /// The modality of the model.
        is: &'static str,
        /// The required modality.
        needed: &'static str,
    },
    /// The bytes are not a valid image.
    #[error("image {row}: {message}")]
    Image {
        /// Index of the image among those given, from 0.
        row: usize,
        /// What is wrong.
        message: String,
    },
    /// The model failed on an input.
    #[error("model '{model}' failed: {message}")]
    Run {
        /// Name of the model.
        model: String,
        /// The message of the runtime.
        message: String,
    },
}

impl Error {
    /// Replaces paths in `from` by the same paths in `to`: users know the folder they named, not the copy that was tried.
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
