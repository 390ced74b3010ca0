//! Fixed-size records sorted within the memory pool: in memory while it allows, by merging sorted runs beyond.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::SpillFile;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::metrics::SpillMetrics;

use super::blobs::{open, spill_error};

/// Records that a first reservation must hold; below it there is no point in sorting runs.
const LEAST: usize = 4096;

/// Sorts records of `N` words of 64 bits, lexicographically, by O(n log n) comparisons.
pub struct RecordSorter<const N: usize> {
    env: Arc<RuntimeEnv>,
    label: &'static str,
    metrics: SpillMetrics,
    reservation: MemoryReservation,
    buffer: Vec<[u64; N]>,
    runs: Vec<Arc<dyn SpillFile>>,
}

impl<const N: usize> RecordSorter<N> {
    /// An empty sorter; `label` names it in errors about memory and disk.
    pub fn new(label: &'static str, env: &Arc<RuntimeEnv>, metrics: SpillMetrics) -> Self {
        let reservation = MemoryConsumer::new(label).with_can_spill(true).register(&env.memory_pool);
        Self { env: Arc::clone(env), label, metrics, reservation, buffer: vec![], runs: vec![] }
    }

    /// Adds a record.
    pub fn push(&mut self, record: [u64; N]) -> Result<()> {
        if self.buffer.len() == self.buffer.capacity() {
            let more = self.buffer.capacity().max(LEAST);
            if self.reservation.try_grow(more * size_of::<[u64; N]>()).is_ok() {
                self.buffer.reserve_exact(more);
            } else if self.buffer.is_empty() {
                self.reservation.grow(more * size_of::<[u64; N]>());
                self.buffer.reserve_exact(more);
            } else {
                self.spill()?;
            }
        }
        self.buffer.push(record);
        Ok(())
    }

    /// The records in ascending order.
    pub fn finish(mut self) -> Result<SortedRecords<N>> {
        if self.runs.is_empty() {
            self.buffer.sort_unstable();
            let memory = std::mem::take(&mut self.buffer).into_iter();
            return Ok(SortedRecords { source: Source::Memory(memory), _reservation: self.reservation });
        }
        if !self.buffer.is_empty() {
            self.spill()?;
        }
        self.buffer = vec![];
        self.reservation.free();
        let mut heap = BinaryHeap::with_capacity(self.runs.len());
        let mut runs = Vec::with_capacity(self.runs.len());
        for (at, file) in self.runs.drain(..).enumerate() {
            let mut run = Run { reader: BufReader::with_capacity(1 << 16, open(&file, self.label)?), _file: file };
            if let Some(first) = run.next()? {
                heap.push(Reverse((first, at)));
            }
            runs.push(run);
        }
        Ok(SortedRecords { source: Source::Merge { heap, runs }, _reservation: self.reservation })
    }

    fn spill(&mut self) -> Result<()> {
        self.buffer.sort_unstable();
        let file = self.env.disk_manager.create_tmp_file(self.label)?;
        let mut writer = file.open_writer()?;
        let mut bytes = Vec::with_capacity(1 << 16);
        for chunk in self.buffer.chunks((1 << 16) / size_of::<[u64; N]>()) {
            bytes.clear();
            bytes.extend(chunk.iter().flatten().flat_map(|word| word.to_le_bytes()));
            writer.write_all(&bytes).map_err(|e| spill_error(self.label, e))?;
        }
        writer.finish()?;
        self.metrics.spill_file_count.add(1);
        self.metrics.spilled_rows.add(self.buffer.len());
        self.metrics.spilled_bytes.add(size_of_val(self.buffer.as_slice()));
        self.runs.push(file);
        self.buffer.clear();
        Ok(())
    }
}

/// Records in ascending order.
pub struct SortedRecords<const N: usize> {
    source: Source<N>,
    _reservation: MemoryReservation,
}

enum Source<const N: usize> {
    Memory(std::vec::IntoIter<[u64; N]>),
    Merge { heap: BinaryHeap<Reverse<([u64; N], usize)>>, runs: Vec<Run> },
}

struct Run {
    reader: BufReader<File>,
    _file: Arc<dyn SpillFile>,
}

impl Run {
    fn next<const N: usize>(&mut self) -> Result<Option<[u64; N]>> {
        let mut record = [0_u64; N];
        for (at, word) in record.iter_mut().enumerate() {
            let mut bytes = [0_u8; 8];
            match self.reader.read_exact(&mut bytes) {
                Ok(()) => *word = u64::from_le_bytes(bytes),
                Err(e) if at == 0 && e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(e) => return Err(e.into()),
            }
        }
        Ok(Some(record))
    }
}

impl<const N: usize> Iterator for SortedRecords<N> {
    type Item = Result<[u64; N]>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.source {
            Source::Memory(records) => records.next().map(Ok),
            Source::Merge { heap, runs } => {
                let Reverse((least, at)) = heap.pop()?;
                match runs[at].next() {
                    Ok(Some(record)) => heap.push(Reverse((record, at))),
                    Ok(None) => {}
                    Err(e) => return Some(Err(e)),
                }
                Some(Ok(least))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;

    use super::*;

    #[test]
    fn spilling_and_in_memory_sorts_agree() {
        let records: Vec<[u64; 2]> =
            (0..100_000_u64).map(|i| [i.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 5000, i]).collect();
        let mut expected = records.clone();
        expected.sort_unstable();
        for limit in [usize::MAX, 300_000] {
            let pool = Arc::new(GreedyMemoryPool::new(limit));
            let env = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc().unwrap();
            let set = ExecutionPlanMetricsSet::new();
            let mut sorter = RecordSorter::new("test", &env, SpillMetrics::new(&set, 0));
            for &record in &records {
                sorter.push(record).unwrap();
            }
            let found: Vec<[u64; 2]> = sorter.finish().unwrap().map(Result::unwrap).collect();
            assert_eq!(found, expected);
            assert_eq!(set.clone_inner().spill_count().unwrap_or(0) > 0, limit != usize::MAX);
        }
    }
}
