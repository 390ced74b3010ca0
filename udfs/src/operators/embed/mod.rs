//! `embed`: the vectors of a lake.

pub mod documentation;
pub mod plan;
pub mod run;

use std::fmt;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::Result;
use limpid_encoders::folder::Modality;

use super::call::Output;
use crate::functions::vector::embeddings::float_item;

/// The arguments of a call. Column: the texts or images.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Embed {
    /// Whether the column holds images, not texts.
    pub images: bool,
    /// The model's name or the path of its folder.
    pub model: String,
    /// Where it runs.
    pub device: String,
    /// The prompt of the model that is put before texts, by its name.
    pub prompt: Option<String>,
    /// The folder in which vectors are kept.
    pub cache: Option<String>,
    /// Name of the added column.
    pub output: String,
    /// Numbers of a vector.
    pub dimension: u32,
}

impl Embed {
    /// All columns of the rows, then the vectors.
    pub fn output(&self, inputs: &[&Schema]) -> Result<Output> {
        let vectors = DataType::FixedSizeList(float_item(DataType::Float32), self.dimension as i32);
        Ok(Output {
            passed: (0..inputs.first().map_or(0, |schema| schema.fields().len())).collect(),
            added: vec![Field::new(&self.output, vectors, true)],
        })
    }

    /// What the model must be for.
    pub fn modality(&self) -> Modality {
        if self.images { Modality::Image } else { Modality::Text }
    }
}

impl fmt::Display for Embed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "model={}, device={}, output={}", self.model, self.device, self.output)?;
        self.prompt.as_ref().map_or(Ok(()), |prompt| write!(f, ", prompt={prompt}"))?;
        match &self.cache {
            Some(folder) => write!(f, ", cache={folder}"),
            None => Ok(()),
        }
    }
}
