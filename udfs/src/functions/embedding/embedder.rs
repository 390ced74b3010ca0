//! Contents to columns of vectors, through a cache where there is one.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result};
use limpid_encoders::folder::Modality;
use limpid_encoders::{Error, Model, Vectors};

use super::arguments::{column, failed};
use super::cache::Cache;
use crate::functions::strings::Strings;

/// A model with what keeps its vectors.
#[derive(Debug)]
pub(crate) struct Embedder {
    function: &'static str,
    model: Arc<Model>,
    cache: Option<Arc<Cache>>,
}

/// The vectors of a column.
pub(crate) struct Embedded {
    /// A vector a row.
    pub vectors: ArrayRef,
    /// Rows whose vector was made before.
    pub cached: usize,
    /// Tokens that the model read.
    pub tokens: usize,
    /// Rows that are not NULL and got no vector, because the model does not know their script.
    pub without_vector: usize,
}

/// What is embedded of the rows that are not NULL.
enum Contents<'a> {
    Texts(Vec<&'a str>),
    Images(Vec<&'a [u8]>),
}

impl Embedder {
    /// The `model` with a cache in `folder`; `function` begins errors.
    pub fn open(function: &'static str, model: Arc<Model>, folder: Option<&str>) -> Result<Self> {
        let cache = folder.map(|folder| Cache::open(Path::new(folder), &model)).transpose();
        let cache = cache.map_err(|error| error.context(function))?;
        Ok(Self { function, model, cache })
    }

    /// Its cache.
    pub fn cache(&self) -> Option<&Arc<Cache>> {
        self.cache.as_ref()
    }

    /// How many rows are well given at once.
    pub fn portion(&self) -> usize {
        self.model.portion()
    }

    /// The vectors of a column of texts or images. The calling thread waits.
    pub fn embed(&self, contents: &ArrayRef) -> Result<Embedded> {
        if self.model.info().modality == Modality::Image {
            let images = cast(contents, &DataType::LargeBinary)?;
            let images = images.as_binary::<i64>();
            let (rows, images): (Vec<usize>, Vec<&[u8]>) =
                images.iter().enumerate().filter_map(|(row, image)| Some((row, image?))).unzip();
            self.rows(&Contents::Images(images), &rows, contents.len())
        } else {
            let strings = Strings::try_new(contents, self.function)?;
            let (rows, texts): (Vec<usize>, Vec<&str>) =
                strings.iter().enumerate().filter_map(|(row, text)| Some((row, text?))).unzip();
            self.rows(&Contents::Texts(texts), &rows, contents.len())
        }
    }

    /// Writes what is new to the cache.
    pub fn flush(&self) -> Result<()> {
        self.cache.as_ref().map_or(Ok(()), |cache| cache.flush())
    }

    fn rows(&self, contents: &Contents<'_>, rows: &[usize], count: usize) -> Result<Embedded> {
        let (vectors, cached) = match &self.cache {
            None => (self.make(contents, &(0..rows.len()).collect::<Vec<_>>(), rows)?, 0),
            Some(cache) => {
                let bytes: Vec<&[u8]> = match contents {
                    Contents::Texts(texts) => texts.iter().map(|text| text.as_bytes()).collect(),
                    Contents::Images(images) => images.clone(),
                };
                let made = cache.embed(&bytes, |some| self.make(contents, some, rows));
                cache.flush_if_due()?;
                made?
            }
        };
        let tokens = vectors.tokens;
        let without_vector = vectors.present.iter().filter(|present| !**present).count();
        Ok(Embedded { vectors: column(vectors, rows, count)?, cached, tokens, without_vector })
    }

    /// The vectors of `some` of the contents, whose rows are `rows`.
    fn make(&self, contents: &Contents<'_>, some: &[usize], rows: &[usize]) -> Result<Vectors> {
        let made = match contents {
            Contents::Texts(texts) => self.model.embed_texts(&some.iter().map(|&at| texts[at]).collect::<Vec<_>>()),
            Contents::Images(images) => self.model.embed_images(&some.iter().map(|&at| images[at]).collect::<Vec<_>>()),
        };
        made.or_else(|error| {
            failed(
                self.function,
                &match error {
                    Error::Image { row, message } => {
                        let row = some.get(row).and_then(|&at| rows.get(at)).copied().unwrap_or(row);
                        Error::Image { row, message }
                    }
                    error => error,
                },
            )
        })
    }
}

/// Writes what is new to the cache when the work ends, however it ends.
pub(crate) struct Flush(pub Arc<Embedder>);

impl Drop for Flush {
    fn drop(&mut self) {
        if let Err(error) = self.0.flush() {
            log::warn!("{}", DataFusionError::to_string(&error));
        }
    }
}
