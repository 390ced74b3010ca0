//! Embeds contents into columns of vectors, through a cache if there is one.

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

/// A model and, if configured, its cache.
#[derive(Debug)]
pub(crate) struct Embedder {
    function: &'static str,
    model: Arc<Model>,
    cache: Option<Arc<Cache>>,
}

/// An embedded column.
pub(crate) struct Embedded {
    /// One vector per row.
    pub vectors: ArrayRef,
    /// Number of rows whose vectors were cached.
    pub cached: usize,
    /// Number of tokens that the model read.
    pub tokens: usize,
    /// Number of rows that are not NULL but received no vector, because the model does not know their script.
    pub without_vector: usize,
}

/// The contents to embed, one per row that is not NULL.
enum Contents<'a> {
    Texts(Vec<&'a str>),
    Images(Vec<&'a [u8]>),
}

impl Embedder {
    /// Opens `model` with a cache in `folder`. Error messages start with `function`.
    pub fn open(function: &'static str, model: Arc<Model>, folder: Option<&str>) -> Result<Self> {
        let cache = folder.map(|folder| Cache::open(Path::new(folder), &model)).transpose();
        let cache = cache.map_err(|error| error.context(function))?;
        Ok(Self { function, model, cache })
    }

    /// The cache, if there is one.
    pub fn cache(&self) -> Option<&Arc<Cache>> {
        self.cache.as_ref()
    }

    /// The number of rows that are best embedded per call.
    pub fn portion(&self) -> usize {
        self.model.portion()
    }

    /// Embeds a column of texts or images. Blocks the calling thread.
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

    /// Writes new vectors to the cache.
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

    /// Computes the vectors of the contents at positions `some`. `rows` maps contents to rows.
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

/// Writes new vectors to the cache when dropped, whether the work succeeded or not.
pub(crate) struct Flush(pub Arc<Embedder>);

impl Drop for Flush {
    fn drop(&mut self) {
        if let Err(error) = self.0.flush() {
            log::warn!("{}", DataFusionError::to_string(&error));
        }
    }
}
