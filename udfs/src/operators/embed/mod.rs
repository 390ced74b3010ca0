//! `embed`: computes the embeddings of texts or images.

pub mod plan;
mod reference;
pub mod run;

use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use limpid_encoders::folder::Modality;
use serde::{Deserialize, Serialize};

use crate::functions::vector::embeddings::float_item;
use crate::operators::frame::operator::only;
use crate::operators::frame::{Input, Output, RelationOperator, Stage, Work};

/// The name in SQL.
pub const NAME: &str = "embed";

/// The arguments of a call. Input column: the texts or images.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Embed {
    /// Whether the column holds images rather than texts.
    pub images: bool,
    /// The model's name or the path of its folder.
    pub model: String,
    /// The device on which the model runs.
    pub device: String,
    /// Name of the model's prompt that is put before texts.
    pub prompt: Option<String>,
    /// The folder of the embedding cache.
    pub cache: Option<String>,
    /// Name of the added column.
    pub output: String,
    /// Values per vector.
    pub dimension: u32,
}

impl Embed {
    /// The modality that the model must support.
    pub fn modality(&self) -> Modality {
        if self.images { Modality::Image } else { Modality::Text }
    }
}

impl RelationOperator for Embed {
    const NAME: &'static str = NAME;

    /// Passes all columns through and adds the vectors.
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        let vectors = DataType::FixedSizeList(float_item(DataType::Float32), self.dimension as i32);
        Ok(Output { passed: only(NAME, inputs)?.all(), added: vec![Field::new(&self.output, vectors, true)] })
    }

    fn stage(&self) -> Stage {
        Stage::EachPartition
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        run::run(self, work).await
    }
}
