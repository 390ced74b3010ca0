//! ONNX models: which library runs them, their sessions, and the threads that own these.
//!
//! **What runs together.** A model with dynamic 8-bit quantisation scales its activations by the largest of the batch, so that a
//! vector depends on the texts beside it (all-MiniLM-L6-v2: cosine down to 0.97 between a text alone and in a batch of 32). On
//! the processor every text therefore runs alone, a session a core: the vector of a text is the same in every query, nothing is
//! padded, and long texts are faster than in batches. A card needs batches: there texts of like length run together, up to
//! [`BATCH_TOKENS`].

pub mod pool;
pub mod runtime;
pub mod session;

use std::path::{Path, PathBuf};

use crate::device::Device;
use crate::folder::{Long, Modality, Settings, sha256};
use crate::image::pixels;
use crate::model::normalize;
use crate::tokenize::Tokenizer;
use crate::{Error, Result};
use pool::Pool;
use session::{Rows, Session};

/// Tokens of a batch on a card, padding included.
pub const BATCH_TOKENS: usize = 32_768;
/// Rows of a batch on a card.
const BATCH_ROWS: usize = 256;
/// Tokens that go through the queue of a processor together, each text in a run of its own.
const PORTION: usize = 256;
/// Weights in memory, all sessions of a model together, unless one alone is larger.
const WEIGHTS: u64 = 2 << 30;

/// A model in a folder.
#[derive(Debug)]
pub struct Onnx {
    name: String,
    folder: PathBuf,
    /// Its settings.
    pub settings: Settings,
    device: Device,
    tokenizer: Option<Tokenizer>,
    pool: Pool,
    /// Numbers of a vector; of a causal model, 0.
    pub dimension: usize,
}

/// Tokens of one run, and whose they are.
struct Piece {
    text: usize,
    /// Tokens of the text itself.
    weight: usize,
    tokens: Vec<u32>,
}

impl Onnx {
    /// Opens the model in `folder` and tries it.
    pub fn open(name: &str, folder: &Path, device: Device) -> Result<Self> {
        let settings = Settings::read(folder)?;
        let path = settings.model_path(folder);
        let (sessions, threads) = sessions(&path, device);
        let mut first = Session::open(&path, &settings, device, threads)?;
        let (tokenizer, dimension) = match &settings.image {
            Some(image) => {
                let probe = Rows::Pixels(vec![vec![0.0; 3 * image.crop * image.crop]]);
                let failed = |message| Error::Shape { path: path.clone(), message };
                (None, length(&first.run(&probe).map_err(failed)?))
            }
            None => {
                let file = folder.join("tokenizer.json");
                let tokenizer = Tokenizer::read(&file)?;
                check_length(&tokenizer, &settings, &file)?;
                let result = try_last(&mut first, &tokenizer, &file, &path)?;
                (Some(tokenizer), length(&result))
            }
        };
        let mut all = vec![first];
        while all.len() < sessions {
            all.push(Session::open(&path, &settings, device, threads)?);
        }
        let pool =
            Pool::start(all).map_err(|error| Error::Run { model: name.to_owned(), message: error.to_string() })?;
        let dimension = if settings.modality == Modality::Causal { 0 } else { dimension };
        let (name, folder) = (name.to_owned(), folder.to_owned());
        Ok(Self { name, folder, settings, device, tokenizer, pool, dimension })
    }

    /// The hash of the model's file, by which its vectors are kept.
    pub fn hash(&self) -> Result<String> {
        sha256(&self.settings.model_path(&self.folder))
    }

    /// Appends a vector a text.
    pub fn embed_texts(&self, texts: &[&str], values: &mut Vec<f32>) -> Result<()> {
        let pieces = self.pieces(texts)?;
        let results = self.run_pieces(&pieces)?;
        let start = values.len();
        values.resize(start + texts.len() * self.dimension, 0.0);
        let mut weights = vec![0; texts.len()];
        for (piece, result) in pieces.iter().zip(results) {
            // Pieces of a text are averaged, each with the weight of its tokens; most texts are one piece.
            let weight = piece.weight.max(1);
            weights[piece.text] += weight;
            let vector = &mut values[start + piece.text * self.dimension..][..self.dimension];
            if result.len() != vector.len() {
                return Err(self.failed(format!("a vector has {} numbers, not {}", result.len(), vector.len())));
            }
            for (sum, value) in vector.iter_mut().zip(result) {
                *sum += weight as f32 * value;
            }
        }
        for (vector, weight) in values[start..].chunks_exact_mut(self.dimension).zip(weights) {
            vector.iter_mut().for_each(|value| *value /= weight.max(1) as f32);
        }
        self.finish(&mut values[start..])
    }

    /// Appends a vector an image.
    pub fn embed_images(&self, images: &[&[u8]], values: &mut Vec<f32>) -> Result<()> {
        let Some(settings) = &self.settings.image else {
            return Err(self.failed("it has no image settings".to_owned()));
        };
        let batch = if self.device == Device::Cpu { 1 } else { 64 };
        let start = values.len();
        // A portion is decoded while the one before runs, and pixels of no more than two are in memory.
        for (number, portion) in images.chunks(64).enumerate() {
            let decoded = portion.iter().enumerate().map(|(i, image)| {
                pixels(image, settings).map_err(|message| Error::Image { row: number * 64 + i, message })
            });
            let decoded: Vec<Vec<f32>> = decoded.collect::<Result<_>>()?;
            let jobs = decoded.chunks(batch).map(|rows| vec![Rows::Pixels(rows.to_vec())]);
            let results = self.pool.run(jobs).map_err(|message| self.failed(message))?;
            for vector in results.into_iter().flatten() {
                if vector.len() != self.dimension {
                    return Err(self.failed(format!("a vector has {} numbers, not {}", vector.len(), self.dimension)));
                }
                values.extend(vector);
            }
        }
        self.finish(&mut values[start..])
    }

    /// For each text the negative log-likelihood of its tokens, each given those before it in its piece.
    pub fn token_nll(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        let pieces = self.pieces(texts)?;
        let mut losses = vec![vec![]; texts.len()];
        for (piece, result) in pieces.iter().zip(self.run_pieces(&pieces)?) {
            losses[piece.text].extend(result);
        }
        Ok(losses)
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

    /// The texts as tokens, in the order of the texts.
    fn pieces(&self, texts: &[&str]) -> Result<Vec<Piece>> {
        let Some(tokenizer) = &self.tokenizer else { return Err(self.failed("it has no tokenizer".to_owned())) };
        let room = self.settings.max_length - tokenizer.added();
        let most = if self.settings.long == Long::Truncate { room } else { usize::MAX };
        let mut pieces = Vec::with_capacity(texts.len());
        let (mut found, mut joined) = (vec![], String::new());
        for (number, text) in texts.iter().enumerate() {
            found.clear();
            let text = if self.settings.prefix.is_empty() {
                text
            } else {
                joined.clear();
                joined.push_str(&self.settings.prefix);
                joined.push_str(text);
                joined.as_str()
            };
            tokenizer.tokens(text, most, &mut found).map_err(|message| self.failed(message))?;
            let mut chunks = found.chunks(room).peekable();
            let empty = chunks.peek().is_none();
            for chunk in chunks.chain(empty.then_some(&[][..])) {
                let tokens = [&tokenizer.before, chunk, &tokenizer.after].concat();
                if !tokens.is_empty() {
                    pieces.push(Piece { text: number, weight: chunk.len(), tokens });
                }
            }
        }
        Ok(pieces)
    }

    /// The results of pieces, in their order. Long ones run first, so that no thread is left with one at the end.
    fn run_pieces(&self, pieces: &[Piece]) -> Result<Vec<Vec<f32>>> {
        let mut order: Vec<usize> = (0..pieces.len()).collect();
        order.sort_by_key(|&piece| std::cmp::Reverse(pieces[piece].tokens.len()));
        let batches = batches(&order, |piece| pieces[piece].tokens.len(), self.device);
        let jobs = batches.iter().map(|batch| {
            let mut rows = batch.iter().map(|&piece| pieces[piece].tokens.clone());
            match self.device {
                Device::Cpu => rows.map(|row| Rows::Tokens(vec![row])).collect(),
                _ => vec![Rows::Tokens(rows.by_ref().collect())],
            }
        });
        let results = self.pool.run(jobs).map_err(|message| self.failed(message))?;
        let mut sorted = vec![vec![]; pieces.len()];
        for (batch, results) in batches.iter().zip(results) {
            for (&piece, result) in batch.iter().zip(results) {
                sorted[piece] = result;
            }
        }
        Ok(sorted)
    }

    fn failed(&self, message: String) -> Error {
        Error::Run { model: self.name.clone(), message }
    }
}

/// Cuts pieces, the longest first, into what goes through the queue together.
fn batches(order: &[usize], length: impl Fn(usize) -> usize, device: Device) -> Vec<Vec<usize>> {
    let mut batches: Vec<Vec<usize>> = vec![];
    let (mut longest, mut total) = (0, 0);
    for &piece in order {
        let length = length(piece);
        let full = match (device, batches.last()) {
            (_, None) => true,
            (Device::Cpu, Some(_)) => total >= PORTION,
            (_, Some(batch)) => (batch.len() + 1) * longest > BATCH_TOKENS || batch.len() >= BATCH_ROWS,
        };
        match batches.last_mut() {
            Some(batch) if !full => {
                batch.push(piece);
                total += length;
            }
            _ => {
                batches.push(vec![piece]);
                (longest, total) = (length, length);
            }
        }
    }
    batches
}

/// How many sessions, and the threads of each: one a core while the weights fit, one in all on a card.
fn sessions(path: &Path, device: Device) -> (usize, usize) {
    let threads = pool::threads();
    if device != Device::Cpu {
        return (1, threads);
    }
    let bytes = std::fs::metadata(path).map_or(1, |file| file.len().max(1));
    let sessions = usize::try_from(WEIGHTS / bytes).unwrap_or(threads).clamp(1, threads);
    (sessions, threads / sessions)
}

fn check_length(tokenizer: &Tokenizer, settings: &Settings, file: &Path) -> Result<()> {
    if tokenizer.size == 0 {
        return Err(Error::Tokenizer { path: file.to_owned(), message: "its vocabulary is empty".to_owned() });
    }
    if settings.max_length <= tokenizer.added() {
        let (most, added) = (settings.max_length, tokenizer.added());
        let message = format!("max_length = {most} leaves no room: the tokenizer adds {added} tokens to each text");
        return Err(Error::Settings { path: file.with_file_name(crate::folder::SETTINGS), message });
    }
    Ok(())
}

/// Runs the last token of the vocabulary: a model that knows fewer fails now and not in the middle of a lake.
fn try_last(session: &mut Session, tokenizer: &Tokenizer, file: &Path, model: &Path) -> Result<Vec<Vec<f32>>> {
    let run = |session: &mut Session, token: u32| {
        let tokens = [&tokenizer.before[..], &[token, token], &tokenizer.after].concat();
        session.run(&Rows::Tokens(vec![tokens]))
    };
    let last = u32::try_from(tokenizer.size - 1).unwrap_or(u32::MAX);
    match run(session, last) {
        Ok(result) => Ok(result),
        Err(message) => match run(session, 0) {
            Ok(_) => Err(Error::Misfit { path: file.to_owned(), token: last, tokens: tokenizer.size, message }),
            Err(message) => Err(Error::Onnx { path: model.to_owned(), message }),
        },
    }
}

fn length(result: &[Vec<f32>]) -> usize {
    result.first().map_or(0, Vec::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_the_order_and_the_budget() {
        let lengths = [9000, 9000, 9000, 9000, 100, 3, 3, 1];
        let order: Vec<usize> = (0..lengths.len()).collect();
        for device in [Device::Cpu, Device::Cuda(0)] {
            let cut = batches(&order, |piece| lengths[piece], device);
            assert_eq!(cut.concat(), order);
            if device != Device::Cpu {
                let padded = |batch: &Vec<usize>| batch.len() * lengths[batch[0]];
                assert!(cut.iter().all(|batch| padded(batch) <= BATCH_TOKENS), "{cut:?}");
                // Three of 9000; one of 9000 with two short ones, as wide; the rest.
                assert_eq!(cut.len(), 3);
            }
        }
        assert_eq!(batches(&order, |piece| lengths[piece], Device::Cpu).len(), 5);
        assert!(batches(&[], |_| 1, Device::Cpu).is_empty());
    }
}
