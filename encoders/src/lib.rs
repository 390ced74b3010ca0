//! Encoders: texts and images to vectors.
//!
//! The type [`Model`] covers three kinds of models: the embedded [`static`](static_model) and
//! [`multilingual`](multilingual_model) encoders, and ONNX models in folders ([`folder`]). [`onnx`] runs the latter with
//! libonnxruntime, or with tract if that is not found and the feature `tract` is enabled. [`registry`] opens each model once
//! per process. [`onnx::batcher`] passes rows from the threads of queries to those of the model.
//!
//! This crate knows neither Arrow nor SQL: slices in, numbers out.

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
