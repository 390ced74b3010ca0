//! Sampling of the rows that a model is fitted to.

use std::collections::BinaryHeap;

use datafusion::common::Result;
use xxhash_rust::xxh3::xxh3_64;

use crate::functions::vector::embeddings;
use crate::kernels::vector::bytes::little_endian;
use crate::operators::frame::OperatorContext;
use crate::storage::records::RecordSorter;
use crate::storage::vectors::{VectorStore, Vectors};

/// Bytes in memory per vector, apart from its values.
pub const ENTRY: usize = 40;

/// Keeps the vectors with the smallest random bits. This gives a uniform sample without replacement that depends on the bits
/// alone. Ties, as from a repeated key, are broken by a hash of the values.
pub struct Sampler {
    label: &'static str,
    context: OperatorContext,
    most: usize,
    /// Bits, hash of the values and position in the store; the largest on top.
    heap: BinaryHeap<(u64, u64, u32)>,
    store: VectorStore,
    squared: Vec<f64>,
    bytes: Vec<u8>,
}

/// A sample of vectors, in ascending order of their bits.
pub struct Sample {
    /// The sampled vectors.
    pub vectors: Vectors,
    /// Their squared lengths.
    pub squared: Vec<f64>,
}

impl Sample {
    /// Takes the same sample as [`Sampler`] from stored vectors whose bits are known.
    pub fn of(
        label: &'static str,
        vectors: &Vectors,
        squared: impl Fn(u32) -> Result<f64>,
        bits: impl Iterator<Item = Result<u64>>,
        most: u64,
        context: &OperatorContext,
    ) -> Result<Self> {
        let most = if most == 0 { usize::MAX } else { usize::try_from(most).unwrap_or(usize::MAX) };
        let mut order = RecordSorter::<2>::new(label, &context.task.runtime_env(), context.spills.clone());
        for (at, bits) in bits.enumerate() {
            order.push([bits?, at as u64])?;
        }
        let mut chosen: Vec<(u64, u64, u32)> = vec![];
        for record in order.finish()? {
            let [bits, at] = record?;
            // All vectors with equal bits must be examined, since a hash breaks the tie.
            if chosen.len() >= most && chosen.last().is_some_and(|(last, ..)| *last != bits) {
                break;
            }
            chosen.push((bits, 0, at as u32));
        }
        let (mut buffer, mut bytes) = (vec![], vec![]);
        for equal in chosen.chunk_by_mut(|a, b| a.0 == b.0).filter(|equal| equal.len() > 1) {
            for (_, hash, at) in &mut *equal {
                little_endian(vectors.block(*at as usize, *at as usize + 1, &mut buffer)?, &mut bytes);
                *hash = xxh3_64(&bytes);
            }
            equal.sort_unstable();
        }
        chosen.truncate(most);
        ordered(label, vectors, squared, chosen.into_iter().map(|(.., at)| at), context)
    }
}

/// Copies the vectors at `places` in that order.
fn ordered(
    label: &'static str,
    vectors: &Vectors,
    squared: impl Fn(u32) -> Result<f64>,
    places: impl Iterator<Item = u32>,
    context: &OperatorContext,
) -> Result<Sample> {
    let mut store = VectorStore::new(label, &context.task.runtime_env(), context.spills.clone());
    let (mut of_sample, mut buffer) = (vec![], vec![]);
    for at in places {
        of_sample.push(squared(at)?);
        store.push(vectors.block(at as usize, at as usize + 1, &mut buffer)?)?;
    }
    Ok(Sample { vectors: store.finish()?, squared: of_sample })
}

impl Sampler {
    /// Creates a sampler that keeps at most `most` vectors; 0 means all.
    pub fn new(label: &'static str, most: u64, context: &OperatorContext) -> Self {
        let most = if most == 0 { usize::MAX } else { usize::try_from(most).unwrap_or(usize::MAX) };
        let store = VectorStore::new(label, &context.task.runtime_env(), context.spills.clone());
        Self { label, context: context.clone(), most, heap: BinaryHeap::new(), store, squared: vec![], bytes: vec![] }
    }

    /// Whether a vector with these bits may still enter the sample.
    pub fn takes(&self, bits: u64) -> bool {
        self.heap.len() < self.most || self.heap.peek().is_some_and(|&(largest, ..)| bits <= largest)
    }

    /// Returns an error if a vector outside the sample differs in length from those inside.
    pub fn check(&self, vector: &[f32]) -> Result<()> {
        match self.store.dimensions() {
            dimensions if dimensions != vector.len() && !self.store.is_empty() => {
                embeddings::mixed(self.label, dimensions, vector.len())
            }
            _ => Ok(()),
        }
    }

    /// Adds a vector with its bits and squared length.
    pub fn add(&mut self, bits: u64, vector: &[f32], squared: f64) -> Result<()> {
        little_endian(vector, &mut self.bytes);
        let key = (bits, xxh3_64(&self.bytes), self.store.len() as u32);
        self.store.push(vector)?;
        self.squared.push(squared);
        self.heap.push(key);
        if self.heap.len() > self.most {
            self.heap.pop();
        }
        Ok(())
    }

    /// Bytes in memory outside the store.
    pub fn size(&self) -> usize {
        (self.heap.len() + self.squared.len()) * ENTRY
    }

    /// Returns the sample in order.
    pub fn finish(self) -> Result<Sample> {
        let places = self.heap.into_sorted_vec().into_iter().map(|(.., at)| at);
        ordered(self.label, &self.store.finish()?, |at| Ok(self.squared[at as usize]), places, &self.context)
    }
}

/// Puts all vectors into the order that [`Sampler`] would give them. Only a few are in memory at a time.
pub struct Shuffler {
    label: &'static str,
    context: OperatorContext,
    most: usize,
    order: RecordSorter<3>,
    store: VectorStore,
    bytes: Vec<u8>,
}

impl Shuffler {
    /// Creates a shuffler that returns at most `most` vectors; 0 means all.
    pub fn new(label: &'static str, most: u64, context: &OperatorContext) -> Self {
        let most = if most == 0 { usize::MAX } else { usize::try_from(most).unwrap_or(usize::MAX) };
        let env = context.task.runtime_env();
        let order = RecordSorter::new(label, &env, context.spills.clone());
        let store = VectorStore::new(label, &env, context.spills.clone());
        Self { label, context: context.clone(), most, order, store, bytes: vec![] }
    }

    /// Adds a vector with its bits.
    pub fn add(&mut self, bits: u64, vector: &[f32]) -> Result<()> {
        little_endian(vector, &mut self.bytes);
        self.order.push([bits, xxh3_64(&self.bytes), self.store.len() as u64])?;
        self.store.push(vector)
    }

    /// Returns the vectors in order.
    pub fn finish(self) -> Result<Vectors> {
        let unordered = self.store.finish()?;
        let env = self.context.task.runtime_env();
        let mut ordered = VectorStore::new(self.label, &env, self.context.spills.clone());
        let mut buffer = vec![];
        for record in self.order.finish()?.take(self.most) {
            let at = record?[2] as usize;
            ordered.push(unordered.block(at, at + 1, &mut buffer)?)?;
        }
        ordered.finish()
    }
}

#[cfg(test)]
mod tests {
    use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;

    use super::*;
    use crate::operators::frame::context::Shared;

    #[test]
    fn a_sample_of_a_table_is_that_of_a_stream() {
        let context =
            OperatorContext::new(std::sync::Arc::default(), ExecutionPlanMetricsSet::new(), 0, Shared::default());
        let env = context.task.runtime_env();
        let vectors = |rows: u32| (0..rows).map(|row| vec![(row * 37 % 101) as f32, 1.0]);
        let bits: Vec<u64> = (0..300).map(|row| row * 7919 % 50).collect();
        let mut store = VectorStore::new("test", &env, context.spills.clone());
        vectors(300).for_each(|vector| store.push(&vector).unwrap());
        let (store, squared) = (store.finish().unwrap(), (0..300).map(f64::from).collect::<Vec<_>>());
        for most in [0, 1, 6, 7, 100, 299, 300, 1000] {
            let mut sampler = Sampler::new("test", most, &context);
            for ((vector, squared), &bits) in vectors(300).zip(&squared).zip(&bits) {
                if sampler.takes(bits) {
                    sampler.add(bits, &vector, *squared).unwrap();
                }
            }
            let of = |at: u32| Ok(squared[at as usize]);
            let other = Sample::of("test", &store, of, bits.iter().map(|bits| Ok(*bits)), most, &context).unwrap();
            let one = sampler.finish().unwrap();
            assert_eq!(one.squared, other.squared, "{most}");
            let all = |sample: &Sample| sample.vectors.block(0, sample.vectors.len(), &mut vec![]).unwrap().to_vec();
            assert_eq!(all(&one), all(&other));
        }
    }
}
