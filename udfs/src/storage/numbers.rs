//! Small values indexed from 0, in memory while the pool allows, otherwise in a temporary file.
//!
//! Operators use them for what they know about each row: a few bytes, as many times as there are rows.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SpillFile, SpillWriter};
use datafusion::physical_plan::metrics::SpillMetrics;

use super::blobs::{open_to_change, read_exact_at, spill_error, write_all_at};

/// Values per chunk, the unit of allocation, reading and writing.
const CHUNK: usize = 8192;

/// One part in this many of the memory limit is left to consumers that cannot spill.
const LEFT: usize = 8;

/// A value of fixed size.
pub trait Number: Copy + Send + Sync {
    /// Its size in a file, in bytes.
    const BYTES: usize;

    /// Encodes the value into `BYTES` bytes.
    fn put(self, bytes: &mut [u8]);

    /// Decodes the value from `BYTES` bytes.
    fn take(bytes: &[u8]) -> Self;
}

macro_rules! number {
    ($($number:ty),*) => {$(
        impl Number for $number {
            const BYTES: usize = size_of::<$number>();

            fn put(self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }

            fn take(bytes: &[u8]) -> Self {
                bytes.first_chunk().map_or_else(Self::default, |bytes| Self::from_le_bytes(*bytes))
            }
        }
    )*};
}
number!(u32, u64, f64);

impl<A: Number, B: Number> Number for (A, B) {
    const BYTES: usize = A::BYTES + B::BYTES;

    fn put(self, bytes: &mut [u8]) {
        let (first, second) = bytes.split_at_mut(A::BYTES);
        self.0.put(first);
        self.1.put(second);
    }

    fn take(bytes: &[u8]) -> Self {
        let (first, second) = bytes.split_at(A::BYTES);
        (A::take(first), B::take(second))
    }
}

/// Values by index. An access costs as much as indexing in memory, and about a microsecond in a file.
pub struct Numbers<T> {
    label: &'static str,
    env: Arc<RuntimeEnv>,
    spills: SpillMetrics,
    reservation: MemoryReservation,
    left: usize,
    len: usize,
    chunks: Vec<Vec<T>>,
    spilled: Option<Spilled>,
}

struct Spilled {
    /// Keeps the file on disk.
    _file: Arc<dyn SpillFile>,
    /// Appends values. The lock only serves to let threads share the store.
    writer: Mutex<Box<dyn SpillWriter>>,
    file: File,
    /// Number of values in the file.
    flushed: usize,
    /// The values after those in the file.
    buffer: Vec<u8>,
}

impl<T: Number> Numbers<T> {
    /// Creates an empty store; `label` names it in errors about memory and disk.
    pub fn new(label: &'static str, env: &Arc<RuntimeEnv>, spills: &SpillMetrics) -> Self {
        let left = match env.memory_pool.memory_limit() {
            MemoryLimit::Finite(limit) => limit / LEFT,
            _ => 0,
        };
        let reservation = MemoryConsumer::new(label).register(&env.memory_pool);
        let (env, spills) = (Arc::clone(env), spills.clone());
        Self { label, env, spills, reservation, left, len: 0, chunks: vec![], spilled: None }
    }

    /// Creates a store of `len` equal values.
    pub fn filled(
        label: &'static str,
        env: &Arc<RuntimeEnv>,
        spills: &SpillMetrics,
        len: usize,
        value: T,
    ) -> Result<Self> {
        let mut numbers = Self::new(label, env, spills);
        (0..len).try_for_each(|_| numbers.push(value))?;
        Ok(numbers)
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a value.
    pub fn push(&mut self, value: T) -> Result<()> {
        if self.spilled.is_none() && self.len.is_multiple_of(CHUNK) && !self.grow() {
            self.spill()?;
        }
        self.len += 1;
        if let Some(spilled) = &mut self.spilled {
            let end = spilled.buffer.len();
            spilled.buffer.resize(end + T::BYTES, 0);
            value.put(&mut spilled.buffer[end..]);
            if spilled.buffer.len() >= CHUNK * T::BYTES {
                spilled.flush::<T>(self.label)?;
            }
        } else if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(value);
        }
        Ok(())
    }

    /// Reserves memory for another chunk; false if the pool refuses.
    fn grow(&mut self) -> bool {
        let bytes = CHUNK * size_of::<T>();
        if self.reservation.try_grow(bytes + self.left).is_err() {
            return false;
        }
        self.reservation.shrink(self.left);
        // The first chunk grows on demand, since most tables are small.
        self.chunks.push(if self.len == 0 { vec![] } else { Vec::with_capacity(CHUNK) });
        true
    }

    fn spill(&mut self) -> Result<()> {
        let file = self.env.disk_manager.create_tmp_file(self.label)?;
        let writer = Mutex::new(file.open_writer()?);
        let mut spilled =
            Spilled { file: open_to_change(&file, self.label)?, _file: file, writer, flushed: 0, buffer: vec![] };
        for chunk in std::mem::take(&mut self.chunks) {
            to_bytes(&chunk, &mut spilled.buffer);
            spilled.flush::<T>(self.label)?;
        }
        self.spills.spill_file_count.add(1);
        self.spills.spilled_bytes.add(self.len * T::BYTES);
        self.reservation.free();
        self.spilled = Some(spilled);
        Ok(())
    }

    /// Reads the value at index `at`, which must be less than [`len`](Self::len).
    pub fn get(&self, at: usize) -> Result<T> {
        match &self.spilled {
            None => Ok(self.chunks[at / CHUNK][at % CHUNK]),
            Some(spilled) => {
                let mut bytes = [0; 64];
                let bytes = &mut bytes[..T::BYTES];
                spilled.read::<T>(at, bytes)?;
                Ok(T::take(bytes))
            }
        }
    }

    /// Replaces the value at index `at`, which must be less than [`len`](Self::len).
    pub fn set(&mut self, at: usize, value: T) -> Result<()> {
        match &mut self.spilled {
            None => self.chunks[at / CHUNK][at % CHUNK] = value,
            Some(spilled) => {
                let mut bytes = [0; 64];
                value.put(&mut bytes[..T::BYTES]);
                spilled.write::<T>(at, &bytes[..T::BYTES])?;
            }
        }
        Ok(())
    }

    /// Replaces the contents of `out` by the values of a range.
    pub fn read(&self, range: Range<usize>, out: &mut Vec<T>) -> Result<()> {
        out.clear();
        if range.end > self.len {
            return internal_err!("{}: {range:?} of {} values", self.label, self.len);
        }
        let Some(spilled) = &self.spilled else {
            let mut at = range.start;
            while at < range.end {
                let end = ((at / CHUNK + 1) * CHUNK).min(range.end);
                out.extend_from_slice(&self.chunks[at / CHUNK][at % CHUNK..at % CHUNK + (end - at)]);
                at = end;
            }
            return Ok(());
        };
        let mut bytes = vec![0; range.len().min(CHUNK) * T::BYTES];
        for first in range.clone().step_by(CHUNK) {
            let bytes = &mut bytes[..(range.end - first).min(CHUNK) * T::BYTES];
            spilled.read::<T>(first, bytes)?;
            out.extend(bytes.chunks_exact(T::BYTES).map(T::take));
        }
        Ok(())
    }

    /// Replaces each value by the result of `new`, called with index and value, in order.
    pub fn update(&mut self, mut new: impl FnMut(usize, T) -> Result<T>) -> Result<()> {
        let Some(spilled) = &mut self.spilled else {
            for (at, value) in self.chunks.iter_mut().flatten().enumerate() {
                *value = new(at, *value)?;
            }
            return Ok(());
        };
        let mut bytes = vec![];
        for first in (0..self.len).step_by(CHUNK) {
            bytes.resize((self.len - first).min(CHUNK) * T::BYTES, 0);
            spilled.read::<T>(first, &mut bytes)?;
            for (at, bytes) in bytes.chunks_exact_mut(T::BYTES).enumerate() {
                new(first + at, T::take(bytes))?.put(bytes);
            }
            spilled.write::<T>(first, &bytes)?;
        }
        Ok(())
    }

    /// Iterates over all values in order.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { numbers: self, next: 0, block: vec![].into_iter() }
    }
}

impl<T: Number + Into<u64>> Numbers<T> {
    /// The range of piece `at`, where the values are the ends of consecutive pieces.
    pub fn piece(&self, at: usize) -> Result<Range<usize>> {
        let start = if at == 0 { 0 } else { self.get(at - 1)?.into() };
        Ok(start as usize..self.get(at)?.into() as usize)
    }
}

impl Spilled {
    fn flush<T: Number>(&mut self, label: &str) -> Result<()> {
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(&self.buffer).map_err(|error| spill_error(label, error))?;
        self.flushed += self.buffer.len() / T::BYTES;
        self.buffer.clear();
        Ok(())
    }

    /// Splits a read of `bytes` bytes at index `at`: how many are in the file, and which range of the buffer holds the
    /// others.
    fn split<T: Number>(&self, at: usize, bytes: usize) -> (usize, Range<usize>) {
        let in_file = self.flushed.saturating_sub(at).min(bytes / T::BYTES) * T::BYTES;
        let start = at.saturating_sub(self.flushed) * T::BYTES;
        (in_file, start..start + (bytes - in_file))
    }

    fn read<T: Number>(&self, at: usize, out: &mut [u8]) -> Result<()> {
        let (in_file, buffered) = self.split::<T>(at, out.len());
        let (from_file, rest) = out.split_at_mut(in_file);
        if !from_file.is_empty() {
            read_exact_at(&self.file, from_file, (at * T::BYTES) as u64)?;
        }
        match self.buffer.get(buffered) {
            Some(buffered) => rest.copy_from_slice(buffered),
            None => return internal_err!("read beyond the kept values"),
        }
        Ok(())
    }

    fn write<T: Number>(&mut self, at: usize, bytes: &[u8]) -> Result<()> {
        let (in_file, buffered) = self.split::<T>(at, bytes.len());
        let (to_file, rest) = bytes.split_at(in_file);
        if !to_file.is_empty() {
            write_all_at(&self.file, to_file, (at * T::BYTES) as u64)?;
        }
        match self.buffer.get_mut(buffered) {
            Some(buffered) => buffered.copy_from_slice(rest),
            None => return internal_err!("written beyond the kept values"),
        }
        Ok(())
    }
}

fn to_bytes<T: Number>(values: &[T], bytes: &mut Vec<u8>) {
    bytes.resize(values.len() * T::BYTES, 0);
    for (value, bytes) in values.iter().zip(bytes.chunks_exact_mut(T::BYTES)) {
        value.put(bytes);
    }
}

/// Iterator over values in order.
pub struct Iter<'a, T> {
    numbers: &'a Numbers<T>,
    next: usize,
    block: std::vec::IntoIter<T>,
}

impl<T: Number> Iterator for Iter<'_, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(value) = self.block.next() {
            return Some(Ok(value));
        }
        let end = self.numbers.len.min(self.next + CHUNK);
        if self.next == end {
            return None;
        }
        let mut block = vec![];
        if let Err(error) = self.numbers.read(self.next..end, &mut block) {
            self.next = self.numbers.len;
            return Some(Err(error));
        }
        (self.next, self.block) = (end, block.into_iter());
        self.block.next().map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;

    use super::*;

    #[test]
    fn memory_and_disk_hold_the_same_values() {
        for (bytes, len) in [(1 << 30, 3 * CHUNK + 5), (300_000, 3 * CHUNK + 5), (300_000, CHUNK), (0, 5), (1 << 30, 0)]
        {
            let pool = Arc::new(GreedyMemoryPool::new(bytes));
            let env = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc().unwrap();
            let spills = SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
            let mut numbers = Numbers::<(u64, u32)>::new("test", &env, &spills);
            let mut expected: Vec<(u64, u32)> = (0..len).map(|at| ((at * 7919) as u64, at as u32)).collect();
            for &value in &expected {
                numbers.push(value).unwrap();
            }
            assert_eq!(spills.spill_file_count.value(), usize::from(bytes < len * 16 + bytes / LEFT));
            for at in (0..len).rev().step_by(7) {
                assert_eq!(numbers.get(at).unwrap(), expected[at]);
                (expected[at].0, expected[at].1) = (at as u64, 1);
                numbers.set(at, expected[at]).unwrap();
            }
            expected.iter_mut().enumerate().for_each(|(at, value)| value.0 += at as u64);
            numbers.update(|at, (a, b)| Ok((a + at as u64, b))).unwrap();
            numbers.push((1, 1)).unwrap();
            expected.push((1, 1));
            assert_eq!(numbers.iter().collect::<Result<Vec<_>>>().unwrap(), expected);
            let mut some = vec![];
            for range in [0..0, 0..len, len / 3..len / 3 * 2, len..len + 1] {
                numbers.read(range.clone(), &mut some).unwrap();
                assert_eq!(some, expected[range]);
            }
            assert!(numbers.read(len..len + 2, &mut some).is_err());
        }
    }

    #[test]
    fn pieces_follow_one_another() {
        let env = Arc::new(RuntimeEnv::default());
        let mut ends = Numbers::new("test", &env, &SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0));
        [2_u32, 2, 7].into_iter().for_each(|end| ends.push(end).unwrap());
        assert_eq!((0..3).map(|at| ends.piece(at).unwrap()).collect::<Vec<_>>(), [0..2, 2..2, 2..7]);
    }
}
