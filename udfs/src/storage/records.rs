//! Sorts fixed-size records within the memory pool: in memory while it allows, otherwise by merging sorted runs.

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

/// Minimum number of records that a first reservation must hold; sorting smaller runs is pointless.
const LEAST: usize = 4096;
/// Maximum number of runs merged at once.
const FAN_IN: usize = 64;
/// Bytes read from a run at once.
const READ: usize = 1 << 15;
/// Bytes written to a run at once.
const WRITE: usize = 1 << 16;

/// Sorts records of `N` 64-bit words lexicographically, in O(n log n) comparisons.
pub struct RecordSorter<const N: usize> {
    env: Arc<RuntimeEnv>,
    label: &'static str,
    metrics: SpillMetrics,
    reservation: MemoryReservation,
    buffer: Vec<[u64; N]>,
    runs: Vec<Arc<dyn SpillFile>>,
}

impl<const N: usize> RecordSorter<N> {
    /// Creates an empty sorter; `label` names it in errors about memory and disk.
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

    /// Returns the records in ascending order.
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
        self.reservation.grow(self.runs.len().min(FAN_IN) * READ);
        while self.runs.len() > FAN_IN {
            let first: Vec<_> = self.runs.drain(..FAN_IN).collect();
            let merged = Merge::new(first, self.label)?;
            self.write(merged)?;
        }
        let merge = Merge::new(std::mem::take(&mut self.runs), self.label)?;
        Ok(SortedRecords { source: Source::Merge(merge), _reservation: self.reservation })
    }

    fn spill(&mut self) -> Result<()> {
        self.buffer.sort_unstable();
        let mut sorted = std::mem::take(&mut self.buffer);
        self.write(sorted.iter().copied().map(Ok))?;
        sorted.clear();
        self.buffer = sorted;
        Ok(())
    }

    /// Writes a run.
    fn write(&mut self, records: impl Iterator<Item = Result<[u64; N]>>) -> Result<()> {
        let file = self.env.disk_manager.create_tmp_file(self.label)?;
        let mut writer = file.open_writer()?;
        let mut count = 0;
        let mut bytes = Vec::with_capacity(WRITE + N * 8);
        for record in records {
            bytes.extend(record?.iter().flat_map(|word| word.to_le_bytes()));
            count += 1;
            if bytes.len() >= WRITE {
                writer.write_all(&bytes).map_err(|e| spill_error(self.label, e))?;
                bytes.clear();
            }
        }
        writer.write_all(&bytes).map_err(|e| spill_error(self.label, e))?;
        writer.finish()?;
        self.metrics.spill_file_count.add(1);
        self.metrics.spilled_rows.add(count);
        self.metrics.spilled_bytes.add(count * size_of::<[u64; N]>());
        self.runs.push(file);
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
    Merge(Merge<N>),
}

/// A merge of several runs.
struct Merge<const N: usize> {
    heap: BinaryHeap<Reverse<([u64; N], usize)>>,
    runs: Vec<Run>,
}

impl<const N: usize> Merge<N> {
    fn new(files: Vec<Arc<dyn SpillFile>>, label: &str) -> Result<Self> {
        let mut heap = BinaryHeap::with_capacity(files.len());
        let mut runs = Vec::with_capacity(files.len());
        for (at, file) in files.into_iter().enumerate() {
            let mut run = Run { reader: BufReader::with_capacity(READ, open(&file, label)?), _file: file };
            if let Some(first) = run.next()? {
                heap.push(Reverse((first, at)));
            }
            runs.push(run);
        }
        Ok(Self { heap, runs })
    }
}

impl<const N: usize> Iterator for Merge<N> {
    type Item = Result<[u64; N]>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((least, at)) = self.heap.pop()?;
        match self.runs[at].next() {
            Ok(Some(record)) => self.heap.push(Reverse((record, at))),
            Ok(None) => {}
            Err(e) => return Some(Err(e)),
        }
        Some(Ok(least))
    }
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
            Source::Merge(merge) => merge.next(),
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
            (0..400_000_u64).map(|i| [i.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 5000, i]).collect();
        let mut expected = records.clone();
        expected.sort_unstable();
        // The last limit produces more runs than are merged at once.
        for limit in [usize::MAX, 300_000, 0] {
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
