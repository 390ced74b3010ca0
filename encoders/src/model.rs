//! Models of all kinds behind one type.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::device::Device;
use crate::folder::{Identity, Modality, digest, hexadecimal};
use crate::multilingual_model::{self, MultilingualModel};
use crate::onnx::Onnx;
use crate::static_model::StaticModel;
use crate::{Error, Result};

/// A model of any kind.
#[derive(Debug)]
pub struct Model {
    info: Info,
    kind: Kind,
    /// Text put before every text.
    prefix: String,
}

/// Basic facts about a model.
#[derive(Debug, Clone)]
pub struct Info {
    /// The name under which it was opened.
    pub name: String,
    /// The modality.
    pub modality: Modality,
    /// Values per vector; 0 for a causal model, which returns one number per token.
    pub dimension: usize,
    /// The device.
    pub device: Device,
}

#[derive(Debug)]
enum Kind {
    Static(Arc<StaticModel>),
    Multilingual(Arc<MultilingualModel>),
    Onnx(Arc<Onnx>),
}

/// Vectors, concatenated.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    /// Values per vector.
    pub dimension: usize,
    /// All values.
    pub values: Vec<f32>,
    /// Which inputs have a vector. An input of which the model knows nothing has none; its values are zeros.
    pub present: Vec<bool>,
    /// Number of tokens that ran.
    pub tokens: usize,
}

impl Model {
    pub(crate) fn from_static(model: StaticModel) -> Self {
        let (name, dimension) = (crate::static_model::NAME.to_owned(), model.dimension());
        let info = Info { name, modality: Modality::Text, dimension, device: Device::Cpu };
        Self { info, kind: Kind::Static(Arc::new(model)), prefix: String::new() }
    }

    pub(crate) fn from_multilingual(model: MultilingualModel) -> Self {
        let (name, dimension) = (multilingual_model::NAME.to_owned(), multilingual_model::DIMENSION);
        let info = Info { name, modality: Modality::Text, dimension, device: Device::Cpu };
        Self { info, kind: Kind::Multilingual(Arc::new(model)), prefix: String::new() }
    }

    pub(crate) fn from_onnx(name: &str, model: Onnx, device: Device) -> Self {
        let (modality, dimension) = (model.settings.modality, model.dimension);
        let info = Info { name: name.to_owned(), modality, dimension, device };
        let prefix = model.settings.usual_prefix().to_owned();
        Self { info, kind: Kind::Onnx(Arc::new(model)), prefix }
    }

    /// The same model with the named prompt put before every text.
    pub fn with_prompt(&self, prompt: &str) -> Result<Self> {
        let none = std::collections::BTreeMap::new();
        let (kind, prompts) = match &self.kind {
            Kind::Static(model) => (Kind::Static(Arc::clone(model)), &none),
            Kind::Multilingual(model) => (Kind::Multilingual(Arc::clone(model)), &none),
            Kind::Onnx(model) => (Kind::Onnx(Arc::clone(model)), &model.settings.prompts),
        };
        let Some(prefix) = prompts.get(prompt) else {
            let known: Vec<&str> = prompts.keys().map(String::as_str).collect();
            let known =
                if known.is_empty() { "no prompts".to_owned() } else { format!("the prompts {}", known.join(", ")) };
            return Err(Error::NoPrompt { model: self.info.name.clone(), prompt: prompt.to_owned(), known });
        };
        Ok(Self { info: self.info.clone(), kind, prefix: prefix.clone() })
    }

    /// Basic facts about the model.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// SHA-256 of the weights. Models with equal hashes give equal vectors.
    pub fn hash(&self) -> Result<String> {
        match &self.kind {
            Kind::Static(model) => Ok(hexadecimal(&digest(model.bytes()))),
            Kind::Multilingual(model) => {
                static HASH: std::sync::OnceLock<String> = std::sync::OnceLock::new();
                Ok(HASH.get_or_init(|| hexadecimal(&digest(model.bytes()))).clone())
            }
            Kind::Onnx(model) => model.hash(),
        }
    }

    /// Everything that its vectors depend on.
    pub fn identity(&self) -> Result<Identity> {
        match &self.kind {
            Kind::Onnx(model) => model.identity(&self.prefix),
            Kind::Static(_) | Kind::Multilingual(_) => Ok(Identity {
                files: vec![self.hash()?],
                settings: None,
                dimension: self.info.dimension,
                // Version 2: a text has no vector if the model knows fewer than half of its letters.
                runtime: "limpid 2".to_owned(),
                device: self.info.device.to_string(),
            }),
        }
    }

    /// Runs the longest text that the settings allow, to find out whether it works.
    pub fn try_longest(&self) -> Result<()> {
        match &self.kind {
            Kind::Static(_) | Kind::Multilingual(_) => Ok(()),
            Kind::Onnx(model) => model.try_longest(),
        }
    }

    /// The best number of inputs per call: enough to keep the model busy, but few enough that vectors arrive steadily.
    pub fn portion(&self) -> usize {
        match (&self.kind, self.info.device) {
            (Kind::Static(_), _) => 4096,
            (Kind::Multilingual(_), _) => 512,
            (Kind::Onnx(_), Device::Cpu) => 128,
            (Kind::Onnx(_), _) => 1024,
        }
    }

    /// Embeds texts, one vector each. Blocks the calling thread while the model's threads work. Equal texts are embedded
    /// once.
    pub fn embed_texts(&self, texts: &[&str]) -> Result<Vectors> {
        self.needs(Modality::Text)?;
        let dimension = self.info.dimension;
        let mut values = Vec::with_capacity(texts.len() * dimension);
        let (present, tokens) = match &self.kind {
            Kind::Static(model) => {
                let (mut tokens, mut sum) = (vec![], 0);
                let encoded = texts.iter().map(|text| {
                    let present = model.encode(text, &mut tokens, &mut values);
                    sum += tokens.len();
                    present
                });
                (encoded.collect(), sum)
            }
            Kind::Multilingual(model) => {
                let mut present = Vec::with_capacity(texts.len());
                let tokens = model.encode(texts, &mut values, &mut present);
                (present, tokens)
            }
            Kind::Onnx(model) => {
                let mut places: HashMap<&str, usize> = HashMap::new();
                let mut distinct = vec![];
                for text in texts {
                    places.entry(text).or_insert_with(|| {
                        distinct.push(*text);
                        distinct.len() - 1
                    });
                }
                let mut vectors = Vec::with_capacity(distinct.len() * dimension);
                let tokens = model.embed_texts(&distinct, &self.prefix, &mut vectors)?;
                for text in texts {
                    let place = places.get(text).copied().unwrap_or(0);
                    values.extend_from_slice(&vectors[place * dimension..(place + 1) * dimension]);
                }
                (vec![true; texts.len()], tokens)
            }
        };
        Ok(Vectors { dimension, values, present, tokens })
    }

    /// Embeds images, given as the bytes of PNG or JPEG files, one vector each.
    pub fn embed_images(&self, images: &[&[u8]]) -> Result<Vectors> {
        self.needs(Modality::Image)?;
        let mut values = vec![];
        if let Kind::Onnx(model) = &self.kind {
            model.embed_images(images, &mut values)?;
        }
        Ok(Vectors { dimension: self.info.dimension, values, present: vec![true; images.len()], tokens: 0 })
    }

    /// For each text, the negative log-likelihood (natural logarithm) of every token but the first, given the preceding ones.
    pub fn token_nll(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        self.needs(Modality::Causal)?;
        match &self.kind {
            Kind::Onnx(model) => model.token_nll(texts),
            Kind::Static(_) | Kind::Multilingual(_) => Ok(vec![]),
        }
    }

    /// Returns an error unless the model has the modality `needed`.
    pub fn needs(&self, needed: Modality) -> Result<()> {
        if self.info.modality == needed {
            return Ok(());
        }
        let (model, is) = (self.info.name.clone(), self.info.modality.what());
        Err(Error::Modality { model, is, needed: needed.what() })
    }
}
