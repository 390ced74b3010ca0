//! ONNX models: the library that runs them, their sessions, and the threads that own the sessions.
//!
//! **Batching.** A model with dynamic 8-bit quantisation scales its activations by the largest value in the batch, so a
//! vector depends on the texts beside it (all-MiniLM-L6-v2: cosine down to 0.97 between a text alone and in a batch of 32).
//! On the CPU every text therefore runs alone, with one session per core: the vector of a text is the same in every query,
//! nothing is padded, and long texts are faster than in batches. A GPU needs batches: texts of similar length run together,
//! whichever query they come from, up to [`BATCH_TOKENS`].

pub mod batcher;
pub(crate) mod files;
pub mod graph;
mod layer_norm;
pub mod provider;
pub mod runtime;
pub mod session;
mod signature;
pub mod tail;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hashbrown::HashMap;

use crate::device::Device;
use crate::folder::{self, Identity, Long, Modality, Settings, digest, hexadecimal};
use crate::given::Given;
use crate::image::pixels;
use crate::normalize::normalize;
use crate::tokenize::Tokenizer;
use crate::{Error, Result};
use batcher::{Batcher, Limits, Numbers, Row, Run};
use graph::{Facts, Known};
use runtime::{Backend, Runtime};
use session::Session;

/// Maximum number of tokens in a batch on a GPU, including padding.
pub const BATCH_TOKENS: usize = 32_768;
/// The same for a causal model, which computes one number per token and vocabulary entry.
const BATCH_LOGITS: usize = 4096;
/// Maximum number of rows in a batch on a GPU.
const BATCH_ROWS: usize = 256;
/// Maximum number of images in a batch on a GPU.
const BATCH_IMAGES: usize = 64;
/// Number of tokens that a CPU thread takes at once; each text still runs alone.
const PORTION: usize = 256;
/// Maximum total size of the weights of all sessions of a model in memory, unless one session alone needs more.
const WEIGHTS: u64 = 2 << 30;
/// Weights below this size are loaded twice on a GPU, so that rows are prepared while others run.
const TWICE: u64 = 1 << 30;
/// Weights below this size are loaded four times: for small models, preparing rows takes longer than running them.
const FOUR_TIMES: u64 = 1 << 28;

/// A model in a folder.
#[derive(Debug)]
pub struct Onnx {
    name: String,
    folder: PathBuf,
    /// Its settings.
    pub settings: Settings,
    device: Device,
    tokenizer: Option<Tokenizer>,
    batcher: Batcher,
    /// Its files with their hashes.
    hashes: OnceLock<Result<Vec<(String, String)>>>,
    /// Values per vector; 0 for a causal model.
    pub dimension: usize,
}

/// The text to which the tokens of a row belong. Pieces with the same tokens share a row.
struct Piece {
    text: usize,
    row: usize,
    /// Number of tokens of the text itself.
    weight: usize,
}

impl Onnx {
    /// Opens the model in `folder` and runs it once.
    pub fn open(name: &str, folder: &Path, device: Device) -> Result<Self> {
        let (settings, notes) = Settings::resolve(folder, Given::default())?;
        notes.iter().for_each(|note| log::warn!("model '{name}': {note}"));
        let path = settings.model_path(folder);
        let (sessions, threads) = sessions(&path, device);
        let Facts { known, weights } = graph::facts(&path);
        files::present(&path, &weights)?;
        let mut first = Session::open(&path, &settings, device, threads)?;
        let (tokenizer, dimension) = match &settings.image {
            Some(image) => {
                let probe = Row::Pixels(vec![0.0; 3 * image.crop * image.crop]);
                let failed = |message| Error::Shape { path: path.clone(), message };
                (None, length(&first.run(&[probe]).map_err(failed)?))
            }
            None => {
                let file = settings.tokenizer_path(folder);
                let tokenizer = Tokenizer::read(&file)?;
                check_length(&tokenizer, &settings, known, &file)?;
                let result = try_last(&mut first, &tokenizer, known, &file, &path)?;
                (Some(tokenizer), length(&result))
            }
        };
        let mut all = vec![first];
        while all.len() < sessions {
            all.push(Session::open(&path, &settings, device, threads)?);
        }
        let started = Batcher::start(all, limits(&settings, device, sessions));
        let batcher = started.map_err(|error| Error::Run { model: name.to_owned(), message: error.to_string() })?;
        let dimension = if settings.modality == Modality::Causal { 0 } else { dimension };
        let (name, folder, hashes) = (name.to_owned(), folder.to_owned(), OnceLock::new());
        Ok(Self { name, folder, settings, device, tokenizer, batcher, hashes, dimension })
    }

    /// Runs a text with as many tokens as the settings allow. Fails if the model has fewer positions.
    pub fn try_longest(&self) -> Result<()> {
        let Some(tokenizer) = &self.tokenizer else { return Ok(()) };
        let inner = vec![0; self.settings.max_length - tokenizer.added()];
        let row = Row::Tokens([&tokenizer.before[..], &inner, &tokenizer.after].concat());
        let failed = |message| {
            let message = format!(
                "max_length = {}, and a text of as many tokens made the model fail: {message}",
                self.settings.max_length
            );
            Error::Settings { path: self.folder.join(folder::SETTINGS), message }
        };
        self.batcher.run(vec![row]).map(drop).map_err(failed)
    }

    /// SHA-256 over the model file and its external weights, computed once; without external weights, that of the file.
    pub fn hash(&self) -> Result<String> {
        let hashes = self.hashes()?;
        let of_weights: Vec<&str> =
            hashes.iter().filter(|(name, _)| name != files::TOKENIZER).map(|(_, hash)| hash.as_str()).collect();
        match of_weights[..] {
            [only] => Ok(only.to_owned()),
            _ => Ok(hexadecimal(&digest(of_weights.join("\n").as_bytes()))),
        }
    }

    fn hashes(&self) -> Result<Vec<(String, String)>> {
        self.hashes.get_or_init(|| files::hashes(&self.folder, &self.settings)).clone()
    }

    /// Everything that a vector depends on: weights, tokenizer, settings, prefix, runtime and device. Files are read once.
    pub fn identity(&self, prefix: &str) -> Result<Identity> {
        let files = self.hashes()?.into_iter().map(|(_, hash)| hash).collect();
        let runtime = match Runtime::get()?.backend {
            Backend::Library { .. } => "onnxruntime",
            Backend::Tract => "tract",
        };
        let device = self.device.to_string();
        let device = device.split(':').next().unwrap_or_default().to_owned();
        Ok(Identity {
            files,
            settings: Some(self.settings.of_vectors(prefix)),
            dimension: self.dimension,
            runtime: runtime.to_owned(),
            device,
        })
    }

    /// Appends one vector per text, with `prefix` put before each text. Returns the number of tokens that ran.
    pub fn embed_texts(&self, texts: &[&str], prefix: &str, values: &mut Vec<f32>) -> Result<usize> {
        let (pieces, rows) = self.pieces(texts, prefix)?;
        let tokens = rows.iter().map(Row::length).sum();
        let results = self.run(rows)?;
        let start = values.len();
        values.resize(start + texts.len() * self.dimension, 0.0);
        let mut weights = vec![0; texts.len()];
        results.iter().try_for_each(|result| self.check(result))?;
        for piece in &pieces {
            // Average the pieces of a text, weighted by their tokens. Most texts have one piece.
            let weight = piece.weight.max(1);
            weights[piece.text] += weight;
            let vector = &mut values[start + piece.text * self.dimension..][..self.dimension];
            for (sum, value) in vector.iter_mut().zip(&results[piece.row]) {
                *sum += weight as f32 * value;
            }
        }
        for (vector, weight) in values[start..].chunks_exact_mut(self.dimension).zip(weights) {
            vector.iter_mut().for_each(|value| *value /= weight.max(1) as f32);
        }
        self.finish(&mut values[start..])?;
        Ok(tokens)
    }

    /// Appends one vector per image.
    pub fn embed_images(&self, images: &[&[u8]], values: &mut Vec<f32>) -> Result<()> {
        let Some(settings) = &self.settings.image else {
            return Err(self.failed("it has no image settings".to_owned()));
        };
        let start = values.len();
        // Pixels are large, so only one chunk of images is in memory.
        for (number, portion) in images.chunks(BATCH_IMAGES).enumerate() {
            let decoded = portion.iter().enumerate().map(|(i, image)| {
                let row = number * BATCH_IMAGES + i;
                pixels(image, settings).map(Row::Pixels).map_err(|message| Error::Image { row, message })
            });
            for vector in self.run(decoded.collect::<Result<_>>()?)? {
                self.check(&vector)?;
                values.extend(vector);
            }
        }
        self.finish(&mut values[start..])
    }

    /// For each text, the negative log-likelihood of its tokens, each given the preceding ones in its piece.
    pub fn token_nll(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        let (pieces, rows) = self.pieces(texts, self.settings.usual_prefix())?;
        let mut losses = vec![vec![]; texts.len()];
        let results = self.run(rows)?;
        if results.iter().flatten().any(|loss| !loss.is_finite()) {
            return Err(self.failed("it gave a likelihood that is NaN or zero".to_owned()));
        }
        for piece in pieces {
            losses[piece.text].extend(&results[piece.row]);
        }
        Ok(losses)
    }

    fn run(&self, rows: Vec<Row>) -> Result<Numbers> {
        self.batcher.run(rows).map_err(|message| self.failed(message))
    }

    fn check(&self, vector: &[f32]) -> Result<()> {
        if vector.len() == self.dimension {
            return Ok(());
        }
        Err(self.failed(format!("a vector has {} numbers, not {}", vector.len(), self.dimension)))
    }

    fn finish(&self, values: &mut [f32]) -> Result<()> {
        if !values.iter().all(|value| value.is_finite()) {
            return Err(self.failed("it gave a vector with NaN or an infinite value".to_owned()));
        }
        if self.settings.normalize {
            for vector in values.chunks_exact_mut(self.dimension.max(1)) {
                normalize(vector);
            }
        }
        Ok(())
    }

    /// Tokenizes the texts, in order. Texts that agree up to the last token that is read share a row and run once.
    fn pieces(&self, texts: &[&str], prefix: &str) -> Result<(Vec<Piece>, Vec<Row>)> {
        let Some(tokenizer) = &self.tokenizer else { return Err(self.failed("it has no tokenizer".to_owned())) };
        let room = self.settings.max_length - tokenizer.added();
        let most = if self.settings.long == Long::Truncate { room } else { usize::MAX };
        let (mut pieces, mut rows) = (Vec::with_capacity(texts.len()), Vec::with_capacity(texts.len()));
        let (mut found, mut joined) = (vec![], String::new());
        let mut places: HashMap<Vec<u32>, usize> = HashMap::new();
        for (number, text) in texts.iter().enumerate() {
            found.clear();
            let text = match (prefix, self.settings.lowercase) {
                ("", false) => text,
                (_, lowercase) => {
                    joined.clear();
                    joined.push_str(prefix);
                    joined.push_str(text);
                    if lowercase {
                        joined = joined.to_lowercase();
                    }
                    joined.as_str()
                }
            };
            tokenizer.tokens(text, most, &mut found).map_err(|message| self.failed(message))?;
            let mut chunks = found.chunks(room).peekable();
            let empty = chunks.peek().is_none();
            for chunk in chunks.chain(empty.then_some(&[][..])) {
                let tokens = [&tokenizer.before, chunk, &tokenizer.after].concat();
                if tokens.is_empty() {
                    continue;
                }
                let row = *places.entry(tokens).or_insert_with_key(|tokens| {
                    rows.push(Row::Tokens(tokens.clone()));
                    rows.len() - 1
                });
                pieces.push(Piece { text: number, row, weight: chunk.len() });
            }
        }
        Ok((pieces, rows))
    }

    fn failed(&self, message: String) -> Error {
        Error::Run { model: self.name.clone(), message }
    }
}

/// The batch limits. On a GPU, texts of similar length run together.
fn limits(settings: &Settings, device: Device, sessions: usize) -> Limits {
    let together = device != Device::Cpu;
    let (tokens, rows) = match (settings.modality, together) {
        (_, false) => (PORTION, usize::MAX),
        (Modality::Image, true) => (BATCH_IMAGES, BATCH_IMAGES),
        (Modality::Text, true) => (BATCH_TOKENS, BATCH_ROWS),
        (Modality::Causal, true) => (BATCH_LOGITS, BATCH_ROWS),
    };
    // When a thread ends a batch, the next full one is waiting, with a choice of lengths.
    let waiting = if settings.modality == Modality::Image { 2 * BATCH_IMAGES } else { 4 * tokens } * sessions;
    Limits { together, tokens, rows, waiting }
}

/// The number of sessions and the threads of each. On the CPU there is one per core, as long as the weights fit. On a GPU
/// there are several, so that some prepare rows while another runs, or one if the weights are large.
fn sessions(path: &Path, device: Device) -> (usize, usize) {
    let threads = batcher::threads();
    let bytes = std::fs::metadata(path).map_or(1, |file| file.len().max(1));
    let copies = if bytes <= FOUR_TIMES {
        4
    } else if bytes <= TWICE {
        2
    } else {
        1
    };
    match device {
        Device::Cpu => {}
        // Little runs on the CPU here, and idle threads would take time from the tokenizer.
        Device::Cuda(_) | Device::TensorRt(_) => return (copies, 1),
        Device::CoreMl | Device::DirectMl(_) => return (copies, threads),
    }
    let sessions = usize::try_from(WEIGHTS / bytes).unwrap_or(threads).clamp(1, threads);
    (sessions, threads / sessions)
}

fn check_length(tokenizer: &Tokenizer, settings: &Settings, known: Known, file: &Path) -> Result<()> {
    if tokenizer.size == 0 {
        return Err(Error::Tokenizer { path: file.to_owned(), message: "its vocabulary is empty".to_owned() });
    }
    if let Some(positions) = known.positions.filter(|&positions| settings.max_length > positions) {
        let message = format!(
            "max_length = {} is more than the {positions} tokens that the model has positions for; it must be at most {positions}",
            settings.max_length
        );
        return Err(Error::Settings { path: file.with_file_name(folder::SETTINGS), message });
    }
    if settings.max_length <= tokenizer.added() {
        let (most, added) = (settings.max_length, tokenizer.added());
        let message = format!("max_length = {most} leaves no room: the tokenizer adds {added} tokens to each text");
        return Err(Error::Settings { path: file.with_file_name(folder::SETTINGS), message });
    }
    Ok(())
}

/// Runs the last token of the vocabulary, so that a model that knows fewer tokens fails now rather than in the middle of a
/// job.
fn try_last(session: &mut Session, tokenizer: &Tokenizer, known: Known, file: &Path, model: &Path) -> Result<Numbers> {
    let run = |session: &mut Session, token: u32| {
        let tokens = [&tokenizer.before[..], &[token, token], &tokenizer.after].concat();
        session.run(&[Row::Tokens(tokens)])
    };
    let last = u32::try_from(tokenizer.size - 1).unwrap_or(u32::MAX);
    let misfit = |message| Error::Misfit { path: file.to_owned(), token: last, tokens: tokenizer.size, message };
    let broken = |message| Error::Onnx { path: model.to_owned(), message };
    match known.tokens {
        Some(rows) if rows < tokenizer.size => return Err(misfit(format!("its table has {rows} rows"))),
        // tract does not survive a token beyond the table, so an unknown table is not tried.
        None if Runtime::get()?.backend == Backend::Tract => return run(session, 0).map_err(broken),
        _ => {}
    }
    match run(session, last) {
        Ok(result) => Ok(result),
        Err(message) => match run(session, 0) {
            Ok(_) => Err(misfit(message)),
            Err(message) => Err(broken(message)),
        },
    }
}

fn length(result: &[Vec<f32>]) -> usize {
    result.first().map_or(0, Vec::len)
}
