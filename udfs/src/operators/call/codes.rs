//! Codes of vectors: in memory where there is room, else made again whenever they are read. Either way they are the same.

use std::ops::Range;

use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;

use super::workers::Workers;
use crate::kernels::vector::codes::Codes;
use crate::storage::vectors::{CHUNK, Vectors};

/// The codes of some vectors.
pub struct CodeStore {
    /// A chunk of codes for each chunk of vectors; none where they are made again.
    chunks: Vec<Codes>,
    _reservation: MemoryReservation,
}

impl CodeStore {
    /// Makes the codes of `vectors`. They take half of the pool's memory that is left, at most: who asks needs the other half.
    pub fn new(label: &'static str, vectors: &Vectors, env: &RuntimeEnv, workers: &Workers) -> Result<Self> {
        let reservation = MemoryConsumer::new(label).register(&env.memory_pool);
        let size = vectors.len() * Codes::size(vectors.dimensions());
        if reservation.try_grow(2 * size).is_err() {
            return Ok(Self { chunks: vec![], _reservation: reservation });
        }
        reservation.shrink(size);
        let chunks = workers.map(vectors.len().div_ceil(CHUNK), |chunk, buffer: &mut Vec<f32>| {
            let (first, end) = (chunk * CHUNK, ((chunk + 1) * CHUNK).min(vectors.len()));
            let mut codes = Codes::new(vectors.dimensions());
            codes.reserve(end - first);
            let values = vectors.block(first, end, buffer)?;
            values.chunks_exact(vectors.dimensions()).for_each(|vector| codes.push(vector));
            Ok(codes)
        })?;
        Ok(Self { chunks, _reservation: reservation })
    }

    /// Whether the codes are in memory.
    pub fn are_in_memory(&self) -> bool {
        !self.chunks.is_empty()
    }

    /// The codes of these vectors. `buffer` is memory that may be used.
    pub fn gather(&self, vectors: &Vectors, rows: &[u32], out: &mut Codes, buffer: &mut Vec<f32>) -> Result<()> {
        out.clear(vectors.dimensions());
        for &row in rows {
            let row = row as usize;
            match self.chunks.get(row / CHUNK) {
                Some(chunk) => out.extend(chunk, row % CHUNK..row % CHUNK + 1),
                None => out.push(vectors.block(row, row + 1, buffer)?),
            }
        }
        Ok(())
    }

    /// The codes of the vectors of a range. `buffer` is memory that may be used.
    pub fn range(&self, vectors: &Vectors, span: Range<usize>, out: &mut Codes, buffer: &mut Vec<f32>) -> Result<()> {
        out.clear(vectors.dimensions());
        let mut first = span.start;
        while first < span.end {
            let end = ((first / CHUNK + 1) * CHUNK).min(span.end);
            match self.chunks.get(first / CHUNK) {
                Some(chunk) => out.extend(chunk, first % CHUNK..first % CHUNK + (end - first)),
                None => {
                    let values = vectors.block(first, end, buffer)?;
                    values.chunks_exact(vectors.dimensions()).for_each(|vector| out.push(vector));
                }
            }
            first = end;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::execution::TaskContext;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};

    use super::*;
    use crate::kernels::vector::code_scores::CodeScores;
    use crate::storage::vectors::VectorStore;

    #[test]
    fn codes_are_the_same_in_memory_and_without() {
        let mut all = vec![];
        for bytes in [1 << 30, 60_000] {
            let env =
                RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(bytes))).build_arc().unwrap();
            let spills = SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
            let mut store = VectorStore::new("test", &env, spills);
            for row in 0..3000_u32 {
                store.push(&[row as f32, 1.0, (row * row % 91) as f32 - 40.0, 5.0, -3.5]).unwrap();
            }
            let vectors = store.finish().unwrap();
            let workers = Workers::new(&TaskContext::default());
            let codes = CodeStore::new("test", &vectors, &env, &workers).unwrap();
            assert_eq!(codes.chunks.len(), if bytes < 1 << 20 { 0 } else { 3 });
            let (mut some, mut range, mut buffer) = (Codes::default(), Codes::default(), vec![]);
            codes.gather(&vectors, &[1, 2999, 1024, 0], &mut some, &mut buffer).unwrap();
            codes.range(&vectors, 1000..2100, &mut range, &mut buffer).unwrap();
            assert_eq!((some.len(), range.len()), (4, 1100));
            let mut scores = CodeScores::default();
            scores.fill(&some, &range);
            all.push((0..4).map(|at| (scores.row(at).to_vec(), scores.certain(at, 0.5))).collect::<Vec<_>>());
        }
        assert_eq!(all[0], all[1]);
    }
}
