//! Sorted row hashes of a table: in memory while the pool allows, otherwise in a file.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::sync::Arc;

use datafusion::common::{Result, exec_datafusion_err};
use datafusion::execution::SpillFile;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use limpid_udfs::storage::records::RecordSorter;

use crate::kernels::sorted::{self, Overlap, Rows};

const LABEL: &str = "row hashes of tables";
/// Rows beyond which hashes are sorted in runs that spill.
const LARGE: u64 = 1 << 22;

/// Hashes in ascending order, repeated ones repeated.
pub enum RowHashes {
    /// In memory.
    Memory {
        /// The hashes.
        rows: Vec<u128>,
        /// What the pool granted for them.
        _held: MemoryReservation,
    },
    /// In a temporary file.
    Disk {
        /// The file.
        file: Arc<dyn SpillFile>,
        /// How many they are.
        rows: u64,
    },
}

/// Takes hashes in any order.
pub enum Builder {
    /// Few enough to sort at once.
    Small {
        /// The hashes so far.
        rows: Vec<u128>,
        /// What the pool granted for them.
        held: MemoryReservation,
    },
    /// Sorted in runs.
    Large {
        /// The runs.
        sorter: Box<RecordSorter<2>>,
        /// Where the result goes.
        env: Arc<RuntimeEnv>,
    },
}

impl Builder {
    /// Room for `rows` hashes.
    pub fn new(rows: u64, env: &Arc<RuntimeEnv>) -> Self {
        let held = MemoryConsumer::new(LABEL).register(&env.memory_pool);
        let bytes = usize::try_from(rows).unwrap_or(usize::MAX).saturating_mul(16);
        if rows <= LARGE && held.try_grow(bytes).is_ok() {
            return Self::Small { rows: Vec::with_capacity(bytes / 16), held };
        }
        let metrics = SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
        Self::Large { sorter: Box::new(RecordSorter::new(LABEL, env, metrics)), env: Arc::clone(env) }
    }

    /// Adds a row.
    #[inline]
    pub fn push(&mut self, row: u128) -> Result<()> {
        match self {
            Self::Small { rows, .. } => {
                rows.push(row);
                Ok(())
            }
            Self::Large { sorter, .. } => sorter.push([(row >> 64) as u64, row as u64]),
        }
    }

    /// Sorts.
    pub fn finish(self) -> Result<RowHashes> {
        match self {
            Self::Small { mut rows, held } => {
                rows.sort_unstable();
                Ok(RowHashes::Memory { rows, _held: held })
            }
            Self::Large { sorter, env } => {
                let file = env.disk_manager.create_tmp_file(LABEL)?;
                let mut writer = file.open_writer()?;
                let mut bytes = Vec::with_capacity(1 << 16);
                let mut rows = 0;
                for record in sorter.finish()? {
                    let [high, low] = record?;
                    bytes.extend((u128::from(high) << 64 | u128::from(low)).to_le_bytes());
                    rows += 1;
                    if bytes.len() >= 1 << 16 {
                        writer.write_all(&bytes)?;
                        bytes.clear();
                    }
                }
                writer.write_all(&bytes)?;
                writer.finish()?;
                Ok(RowHashes::Disk { file, rows })
            }
        }
    }
}

impl RowHashes {
    /// Number of rows.
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory { rows, .. } => rows.len() as u64,
            Self::Disk { rows, .. } => *rows,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of different rows.
    pub fn distinct(&self) -> Result<u64> {
        let mut distinct = 0;
        let mut previous = None;
        self.each(|row| {
            distinct += u64::from(previous != Some(row));
            previous = Some(row);
        })?;
        Ok(distinct)
    }

    /// Calls `each` with every hash in ascending order.
    pub fn each(&self, mut each: impl FnMut(u128)) -> Result<()> {
        match self {
            Self::Memory { rows, .. } => rows.iter().for_each(|&row| each(row)),
            Self::Disk { .. } => {
                for row in self.stream()? {
                    each(row?);
                }
            }
        }
        Ok(())
    }

    /// Calls `each` with the hashes in ascending order until it says no.
    pub fn each_while(&self, mut each: impl FnMut(u128) -> bool) -> Result<()> {
        for row in self.stream()? {
            if !each(row?) {
                break;
            }
        }
        Ok(())
    }

    fn stream(&self) -> Result<Box<dyn Iterator<Item = Result<u128>> + '_>> {
        match self {
            Self::Memory { rows, .. } => Ok(Box::new(rows.iter().map(|&row| Ok(row)))),
            Self::Disk { file, .. } => {
                let path =
                    file.path().ok_or_else(|| exec_datafusion_err!("{LABEL} need spill files on a local disk"))?;
                let mut reader = BufReader::with_capacity(1 << 16, File::open(path)?);
                Ok(Box::new(std::iter::from_fn(move || {
                    let mut bytes = [0; 16];
                    match reader.read_exact(&mut bytes) {
                        Ok(()) => Some(Ok(u128::from_le_bytes(bytes))),
                        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => None,
                        Err(e) => Some(Err(e.into())),
                    }
                })))
            }
        }
    }

    /// Whether every row is in `parent`.
    pub fn contained_in(&self, parent: &Self, rows: Rows) -> Result<bool> {
        if let (Self::Memory { rows: child, .. }, Self::Memory { rows: parent, .. }) = (self, parent) {
            return Ok(sorted::contained(child, parent, rows));
        }
        self.merge(parent, rows, true).map(|overlap| overlap.rows == overlap.matched)
    }

    /// How many rows are in `parent`.
    pub fn overlap(&self, parent: &Self, rows: Rows) -> Result<Overlap> {
        if let (Self::Memory { rows: child, .. }, Self::Memory { rows: parent, .. }) = (self, parent) {
            return Ok(sorted::overlap(child, parent, rows));
        }
        self.merge(parent, rows, false)
    }

    /// The same over streams; ends at the first row that is missing if asked to.
    fn merge(&self, parent: &Self, rows: Rows, stop: bool) -> Result<Overlap> {
        let mut theirs = parent.stream()?;
        let mut next = theirs.next().transpose()?;
        let mut previous = None;
        let mut found = Overlap::default();
        for row in self.stream()? {
            let row = row?;
            if rows == Rows::Set && previous == Some(row) {
                continue;
            }
            previous = Some(row);
            found.rows += 1;
            while next.is_some_and(|other| other < row) {
                next = theirs.next().transpose()?;
            }
            if next == Some(row) {
                found.matched += 1;
                next = theirs.next().transpose()?;
            } else if stop {
                break;
            }
        }
        Ok(found)
    }

    /// How many of these ascending hashes are among the rows, each on its own.
    pub fn hits(&self, drawn: &[u128]) -> Result<u64> {
        if let Self::Memory { rows, .. } = self {
            return Ok(drawn.iter().filter(|&&row| sorted::holds(rows, row)).count() as u64);
        }
        let mut hits = 0;
        let mut rest = drawn;
        self.each(|row| {
            while rest.first().is_some_and(|&first| first < row) {
                rest = &rest[1..];
            }
            while rest.first() == Some(&row) {
                hits += 1;
                rest = &rest[1..];
            }
        })?;
        Ok(hits)
    }

    /// The hashes at these ascending positions.
    pub fn at(&self, positions: &[u64]) -> Result<Vec<u128>> {
        let mut found = Vec::with_capacity(positions.len());
        let mut at = 0;
        let mut rest = positions;
        self.each(|row| {
            if rest.first() == Some(&at) {
                found.push(row);
                rest = &rest[1..];
            }
            at += 1;
        })?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use limpid_udfs::kernels::random::mix;

    use super::*;

    fn build(values: impl Iterator<Item = u64>, env: &Arc<RuntimeEnv>) -> RowHashes {
        let mut builder = Builder::new(50_000, env);
        for value in values {
            builder.push(u128::from(mix(value)) << 50).unwrap();
        }
        builder.finish().unwrap()
    }

    #[test]
    fn disk_and_memory_agree() {
        let roomy = RuntimeEnvBuilder::new().build_arc().unwrap();
        let tight =
            RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(200_000))).build_arc().unwrap();
        let mut answers = vec![];
        for env in [&roomy, &tight] {
            let parent = build((0..50_000).map(|i| i % 30_000), env);
            let child = build(10_000..20_000, env);
            let other = build((0..50_000).step_by(7), env);
            assert_eq!(matches!(parent, RowHashes::Disk { .. }), Arc::ptr_eq(env, &tight));
            let drawn = other.at(&[0, 5, 70, 7142]).unwrap();
            answers.push((
                parent.distinct().unwrap(),
                child.contained_in(&parent, Rows::Multiset).unwrap(),
                parent.contained_in(&child, Rows::Set).unwrap(),
                other.overlap(&parent, Rows::Multiset).unwrap(),
                parent.overlap(&child, Rows::Set).unwrap(),
                parent.hits(&drawn).unwrap(),
                drawn,
            ));
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!((answers[0].0, answers[0].1, answers[0].2), (30_000, true, false));
    }
}
