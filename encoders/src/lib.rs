//! Encoders: texts and images to vectors.
//!
//! Three kinds stand behind one type, [`Model`]: the [`static`](static_model) and the [`multilingual`](multilingual_model) encoder, which are part of the program, and
//! ONNX models in folders ([`folder`]) that [`onnx`] runs with libonnxruntime, or with tract where that is not found and
//! the feature `tract` is built in. [`registry`] opens each model once a process; [`onnx::batcher`] is where the threads of
//! queries meet those of the model.
//!
//! There is neither Arrow nor SQL here: slices in, numbers out.

pub mod device;
mod error;
pub mod folder;
pub mod given;
#[cfg(feature = "hub")]
pub mod hub;
pub mod image;
mod model;
pub mod multilingual_model;
mod normalize;
pub mod onnx;
pub mod registry;
pub mod sentence_transformers;
pub mod static_model;
pub mod tokenize;

pub use error::{Error, Result};
pub use model::{Info, Model, Vectors};
