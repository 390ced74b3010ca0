//! Int8 codes of vectors, in memory if there is room, otherwise in a temporary file.

use std::ops::Range;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;

use crate::kernels::vector::codes::Codes;
use crate::operators::workers::Workers;
use crate::storage::blobs::{BlobWriter, Blobs};
use crate::storage::vectors::{CHUNK, Vectors};

/// Int8 codes (quantised vectors) of a set of vectors.
pub struct CodeStore {
    source: Source,
    dimensions: usize,
    _reservation: MemoryReservation,
}

enum Source {
    /// One chunk of codes per chunk of vectors.
    Memory(Vec<Codes>),
    /// One fixed-size record per vector.
    File(Blobs),
}

impl CodeStore {
    /// Quantises `vectors`. The codes take at most half of the memory left in the pool; the caller needs the other half.
    pub fn new(label: &'static str, vectors: &Vectors, env: &Arc<RuntimeEnv>, workers: &Workers) -> Result<Self> {
        let (dimensions, count) = (vectors.dimensions(), vectors.len());
        let reservation = MemoryConsumer::new(label).register(&env.memory_pool);
        let size = count * Codes::size(dimensions);
        let chunk = |chunk: usize, buffer: &mut Vec<f32>| {
            let (first, end) = (chunk * CHUNK, ((chunk + 1) * CHUNK).min(count));
            Ok(Codes::of(vectors.block(first, end, buffer)?, dimensions))
        };
        let chunks = count.div_ceil(CHUNK);
        let source = if reservation.try_grow(2 * size).is_ok() {
            reservation.shrink(size);
            Source::Memory(workers.map(chunks, chunk)?)
        } else {
            let mut file = BlobWriter::new(label, env);
            // Only a few chunks at a time, since all together might not fit in memory.
            let step = workers.threads() * 4;
            for first in (0..chunks).step_by(step) {
                let of_chunk = |number: usize, buffer: &mut Vec<f32>| {
                    let mut bytes = vec![];
                    chunk(first + number, buffer)?.write(&mut bytes);
                    Ok(bytes)
                };
                for bytes in workers.map(step.min(chunks - first), of_chunk)? {
                    file.append(&bytes)?;
                }
            }
            Source::File(file.finish()?)
        };
        Ok(Self { source, dimensions, _reservation: reservation })
    }

    /// Copies the codes of the given vectors to `out`. `buffer` is scratch memory.
    pub fn gather(&self, rows: &[u32], out: &mut Codes, buffer: &mut Vec<u8>) -> Result<()> {
        out.clear(self.dimensions);
        rows.iter().try_for_each(|&row| self.add(row as usize..row as usize + 1, out, buffer))
    }

    /// Copies the codes of a range of vectors to `out`. `buffer` is scratch memory.
    pub fn range(&self, span: Range<usize>, out: &mut Codes, buffer: &mut Vec<u8>) -> Result<()> {
        out.clear(self.dimensions);
        self.add(span, out, buffer)
    }

    fn add(&self, span: Range<usize>, out: &mut Codes, buffer: &mut Vec<u8>) -> Result<()> {
        match &self.source {
            Source::Memory(chunks) => {
                let mut first = span.start;
                while first < span.end {
                    let end = ((first / CHUNK + 1) * CHUNK).min(span.end);
                    out.extend(&chunks[first / CHUNK], first % CHUNK..first % CHUNK + (end - first));
                    first = end;
                }
            }
            Source::File(file) => {
                let size = Codes::size(self.dimensions);
                buffer.resize(span.len() * size, 0);
                file.read((span.start * size) as u64, buffer)?;
                out.read(buffer);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::TaskContext;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};

    use super::*;
    use crate::kernels::vector::code_scores::CodeScores;
    use crate::storage::vectors::VectorStore;

    #[test]
    fn codes_are_the_same_in_memory_and_in_a_file() {
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
            assert_eq!(matches!(codes.source, Source::File(_)), bytes < 1 << 20);
            let (mut some, mut range, mut buffer) = (Codes::default(), Codes::default(), vec![]);
            codes.gather(&[1, 2999, 1024, 0], &mut some, &mut buffer).unwrap();
            codes.range(1000..2100, &mut range, &mut buffer).unwrap();
            assert_eq!((some.len(), range.len()), (4, 1100));
            let mut scores = CodeScores::default();
            scores.fill(&some, &range);
            all.push((0..4).map(|at| (scores.row(at).to_vec(), scores.certain(at, 0.5))).collect::<Vec<_>>());
        }
        assert_eq!(all[0], all[1]);
    }
}
