//! Shingle sets in a temporary file, and their exact similarity.

use std::sync::Arc;

use datafusion::common::Result;
use hashbrown::HashMap;

use crate::storage::blobs::Blobs;
use crate::storage::numbers::Numbers;

/// The shingle sets of all contents. Each set holds distinct 64-bit hashes in any order.
pub struct Sets {
    /// The hashes of all sets, little-endian.
    pub blobs: Blobs,
    /// For each content, where its set starts and how many hashes it has.
    pub spans: Numbers<(u64, u32)>,
}

/// Replaces `bytes` by the encoding of the values that [`Sets`] stores.
pub fn to_bytes(values: &[u64], bytes: &mut Vec<u8>) {
    bytes.resize(values.len() * 8, 0);
    for (to, value) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(values) {
        *to = value.to_le_bytes();
    }
}

/// Bytes of decoded sets that each thread caches.
const CACHE: usize = 4 << 20;

/// Compares sets; each thread has its own.
pub struct Comparer<'a> {
    sets: &'a Sets,
    cache: HashMap<u32, Arc<[u64]>>,
    cached: usize,
    bytes: Vec<u8>,
    table: Table,
    loaded: Option<u32>,
}

impl<'a> Comparer<'a> {
    /// Creates a comparer with an empty cache.
    pub fn new(sets: &'a Sets) -> Self {
        Self { sets, cache: HashMap::new(), cached: 0, bytes: vec![], table: Table::default(), loaded: None }
    }

    /// Returns the exact Jaccard similarity of two contents if it is at least `threshold`.
    ///
    /// O(|a| + |b|), or less if the set sizes or the misses so far rule out the threshold. Make consecutive calls with the
    /// same `b`: its hash table is then built only once.
    pub fn similarity(&mut self, a: u32, b: u32, threshold: f64) -> Result<Option<f64>> {
        let size = |content: u32| self.sets.spans.get(content as usize).map(|(_, size)| u64::from(size));
        let (size_a, size_b) = (size(a)?, size(b)?);
        let (small, large) = (size_a.min(size_b), size_a.max(size_b));
        if small == 0 || (small as f64) / (large as f64) < threshold {
            return Ok(None);
        }
        if self.loaded != Some(b) {
            let set = self.read(b)?;
            self.table.fill(&set);
            self.loaded = Some(b);
        }
        let set = self.read(a)?;
        // With more misses than this, hits on all the rest would still leave the similarity below the threshold. The extra
        // one makes rounding err on the side of comparing; the quotient below decides.
        let needed = threshold / (1.0 + threshold) * (size_a + size_b) as f64;
        let allowed = (size_a as f64 - needed).max(0.0) as u64 + 1;
        let Some(shared) = self.table.count(&set, allowed) else { return Ok(None) };
        let similarity = shared as f64 / (size_a + size_b - shared) as f64;
        Ok((similarity >= threshold).then_some(similarity))
    }

    fn read(&mut self, content: u32) -> Result<Arc<[u64]>> {
        if let Some(set) = self.cache.get(&content) {
            return Ok(Arc::clone(set));
        }
        let (offset, size) = self.sets.spans.get(content as usize)?;
        self.bytes.resize(size as usize * 8, 0);
        self.sets.blobs.read(offset, &mut self.bytes)?;
        let (words, _) = self.bytes.as_chunks::<8>();
        let set: Arc<[u64]> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        if self.cached > CACHE {
            self.cache.clear();
            self.cached = 0;
        }
        self.cached += size_of_val(&*set);
        self.cache.insert(content, Arc::clone(&set));
        Ok(set)
    }
}

/// A hash table with open addressing for values that are already uniform hashes. Zero marks an empty slot, so sets never
/// contain zero.
#[derive(Default)]
pub struct Table {
    slots: Vec<u64>,
}

impl Table {
    /// Empties the table and makes room for `count` values.
    pub fn clear(&mut self, count: usize) {
        let size = (2 * count).next_power_of_two().max(16);
        self.slots.clear();
        self.slots.resize(size, 0);
    }

    /// Inserts a nonzero value and returns whether it is new. The table must have room.
    #[inline]
    pub fn insert(&mut self, value: u64) -> bool {
        let mask = self.slots.len() - 1;
        let mut at = value as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            if *slot == value {
                return false;
            }
            if *slot == 0 {
                *slot = value;
                return true;
            }
            at = (at + 1) & mask;
        }
    }

    fn fill(&mut self, set: &[u64]) {
        self.clear(set.len());
        for &value in set {
            self.insert(value);
        }
    }

    #[inline]
    fn contains(&self, value: u64) -> bool {
        let mask = self.slots.len() - 1;
        let mut at = value as usize & mask;
        loop {
            match self.slots[at] {
                0 => return false,
                slot if slot == value => return true,
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// Counts the values of `set` that are in the table; `None` after more than `allowed` misses.
    fn count(&self, set: &[u64], allowed: u64) -> Option<u64> {
        let mut shared = 0;
        for (seen, chunk) in set.chunks(64).enumerate() {
            shared += chunk.iter().filter(|value| self.contains(**value)).count() as u64;
            if (seen * 64 + chunk.len()) as u64 - shared > allowed {
                return None;
            }
        }
        Some(shared)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use datafusion::execution::runtime_env::RuntimeEnv;
    use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};

    use super::*;
    use crate::storage::blobs::BlobWriter;

    #[test]
    fn similarity_is_the_exact_jaccard_of_the_sets() {
        let mut state = 42_u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state ^ (state >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1
        };
        let universe: Vec<u64> = (0..400).map(|_| random()).collect();
        let sets: Vec<HashSet<u64>> = (0..40)
            .map(|i| universe.iter().copied().filter(|_| random() >> 32 < (1 << 32) / 40 * (i + 1)).collect())
            .collect();
        let mut writer = BlobWriter::new("test", &Arc::new(RuntimeEnv::default()));
        let spills = SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
        let mut spans = Numbers::new("test", &Arc::new(RuntimeEnv::default()), &spills);
        for set in &sets {
            let bytes: Vec<u8> = set.iter().flat_map(|v| v.to_le_bytes()).collect();
            spans.push((writer.append(&bytes).unwrap(), set.len() as u32)).unwrap();
        }
        let stored = Sets { blobs: writer.finish().unwrap(), spans };
        let mut comparer = Comparer::new(&stored);
        for threshold in [0.1, 0.5, 0.7, 1.0] {
            for (b, set_b) in sets.iter().enumerate() {
                for (a, set_a) in sets.iter().enumerate() {
                    let shared = set_a.intersection(set_b).count();
                    let union = set_a.union(set_b).count();
                    let exact = shared as f64 / union as f64;
                    let expected = (union > 0 && exact >= threshold).then_some(exact);
                    assert_eq!(comparer.similarity(a as u32, b as u32, threshold).unwrap(), expected);
                }
            }
        }
    }
}
