//! The rows a model is fitted to.

use std::collections::BinaryHeap;

use datafusion::common::Result;
use xxhash_rust::xxh3::xxh3_64;

use crate::functions::vector::embeddings;
use crate::operators::dedup::matcher::Surroundings;
use crate::storage::records::RecordSorter;
use crate::storage::vectors::{VectorStore, Vectors};

/// Bytes a vector costs in memory beyond its values.
pub const ENTRY: usize = 40;

/// Keeps the vectors with the least random bits: a uniform sample without replacement that depends on the bits alone. Where
/// bits are equal, as those of a repeated key, a hash of the values decides.
pub struct Sampler {
    label: &'static str,
    around: Surroundings,
    most: usize,
    /// Bits, hash and place in the store; the largest on top.
    heap: BinaryHeap<(u64, u64, u32)>,
    store: VectorStore,
    squared: Vec<f64>,
    bytes: Vec<u8>,
}

/// The vectors of a sample in ascending order of their bits.
pub struct Sample {
    /// The vectors.
    pub vectors: Vectors,
    /// The squares of their lengths.
    pub squared: Vec<f64>,
}

impl Sampler {
    /// A sample of at most `most` vectors; 0: all.
    pub fn new(label: &'static str, most: u64, around: &Surroundings) -> Self {
        let most = if most == 0 { usize::MAX } else { usize::try_from(most).unwrap_or(usize::MAX) };
        let store = VectorStore::new(label, &around.context.runtime_env(), around.spills.clone());
        Self { label, around: around.clone(), most, heap: BinaryHeap::new(), store, squared: vec![], bytes: vec![] }
    }

    /// Whether a vector with these bits may be taken.
    pub fn takes(&self, bits: u64) -> bool {
        self.heap.len() < self.most || self.heap.peek().is_some_and(|&(largest, ..)| bits <= largest)
    }

    /// An error where a vector that is not taken is of another length than those that are.
    pub fn check(&self, vector: &[f32]) -> Result<()> {
        match self.store.dimensions() {
            dimensions if dimensions != vector.len() && !self.store.is_empty() => {
                embeddings::mixed(self.label, dimensions, vector.len())
            }
            _ => Ok(()),
        }
    }

    /// Takes a vector with these bits and this squared length.
    pub fn add(&mut self, bits: u64, vector: &[f32], squared: f64) -> Result<()> {
        self.bytes.clear();
        self.bytes.extend(vector.iter().flat_map(|value| value.to_le_bytes()));
        let key = (bits, xxh3_64(&self.bytes), self.store.len() as u32);
        self.store.push(vector)?;
        self.squared.push(squared);
        self.heap.push(key);
        if self.heap.len() > self.most {
            self.heap.pop();
        }
        Ok(())
    }

    /// Bytes in memory beyond the store.
    pub fn size(&self) -> usize {
        (self.heap.len() + self.squared.len()) * ENTRY
    }

    /// The sample, ordered.
    pub fn finish(self) -> Result<Sample> {
        let chosen = self.heap.into_sorted_vec();
        let unordered = self.store.finish()?;
        let squared = chosen.iter().map(|(.., at)| self.squared[*at as usize]).collect();
        let env = self.around.context.runtime_env();
        let mut ordered = VectorStore::new(self.label, &env, self.around.spills.clone());
        let mut buffer = vec![];
        for &(.., at) in &chosen {
            ordered.push(unordered.block(at as usize, at as usize + 1, &mut buffer)?)?;
        }
        Ok(Sample { vectors: ordered.finish()?, squared })
    }
}

/// All vectors in the order that [`Sampler`] gives them, in memory for a few of them.
pub struct Shuffler {
    label: &'static str,
    around: Surroundings,
    most: usize,
    order: RecordSorter<3>,
    store: VectorStore,
    bytes: Vec<u8>,
}

impl Shuffler {
    /// At most `most` vectors; 0: all.
    pub fn new(label: &'static str, most: u64, around: &Surroundings) -> Self {
        let most = if most == 0 { usize::MAX } else { usize::try_from(most).unwrap_or(usize::MAX) };
        let env = around.context.runtime_env();
        let order = RecordSorter::new(label, &env, around.spills.clone());
        let store = VectorStore::new(label, &env, around.spills.clone());
        Self { label, around: around.clone(), most, order, store, bytes: vec![] }
    }

    /// Takes a vector with these bits.
    pub fn add(&mut self, bits: u64, vector: &[f32]) -> Result<()> {
        self.bytes.clear();
        self.bytes.extend(vector.iter().flat_map(|value| value.to_le_bytes()));
        self.order.push([bits, xxh3_64(&self.bytes), self.store.len() as u64])?;
        self.store.push(vector)
    }

    /// The vectors, ordered.
    pub fn finish(self) -> Result<Vectors> {
        let unordered = self.store.finish()?;
        let env = self.around.context.runtime_env();
        let mut ordered = VectorStore::new(self.label, &env, self.around.spills.clone());
        let mut buffer = vec![];
        for record in self.order.finish()?.take(self.most) {
            let at = record?[2] as usize;
            ordered.push(unordered.block(at, at + 1, &mut buffer)?)?;
        }
        ordered.finish()
    }
}
