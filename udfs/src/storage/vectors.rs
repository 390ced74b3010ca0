//! Stores vectors of equal length, in memory while the pool allows, otherwise in a temporary file.

use std::sync::Arc;

use datafusion::common::{Result, exec_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::metrics::SpillMetrics;

use super::blobs::{BlobWriter, Blobs};
use crate::kernels::vector::bytes::little_endian;

/// Rows per chunk of memory. Blocks within one chunk are read without a copy.
pub const CHUNK: usize = 1024;

/// The writing side of a store of vectors.
pub struct VectorStore {
    label: &'static str,
    env: Arc<RuntimeEnv>,
    spills: SpillMetrics,
    reservation: MemoryReservation,
    dimensions: usize,
    rows: usize,
    chunks: Vec<Vec<f32>>,
    file: Option<BlobWriter>,
    bytes: Vec<u8>,
}

impl VectorStore {
    /// Creates an empty store; `label` names it in errors about memory and disk.
    pub fn new(label: &'static str, env: &Arc<RuntimeEnv>, spills: SpillMetrics) -> Self {
        let reservation = MemoryConsumer::new(label).with_can_spill(true).register(&env.memory_pool);
        let env = Arc::clone(env);
        Self { label, env, spills, reservation, dimensions: 0, rows: 0, chunks: vec![], file: None, bytes: vec![] }
    }

    /// Number of vectors.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no vector.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Values per vector; 0 before the first.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Adds a vector. Returns an error if its length differs from that of the first.
    pub fn push(&mut self, vector: &[f32]) -> Result<()> {
        if self.rows == 0 {
            self.dimensions = vector.len();
        }
        if vector.len() != self.dimensions {
            return exec_err!("vectors of {} and {} dimensions; all must have the same", self.dimensions, vector.len());
        }
        if vector.is_empty() {
            return exec_err!("a vector has no values");
        }
        self.rows += 1;
        if self.file.is_none() {
            let full = self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK * self.dimensions);
            if !full || self.reservation.try_grow(CHUNK * self.dimensions * size_of::<f32>()).is_ok() {
                if full {
                    self.chunks.push(Vec::with_capacity(CHUNK * self.dimensions));
                }
                if let Some(chunk) = self.chunks.last_mut() {
                    chunk.extend_from_slice(vector);
                }
                return Ok(());
            }
            self.spills.spill_file_count.add(1);
            let mut file = BlobWriter::new(self.label, &self.env);
            for chunk in std::mem::take(&mut self.chunks) {
                append(&mut file, &chunk, &mut self.bytes, &self.spills)?;
            }
            self.spills.spilled_rows.add(self.rows - 1);
            self.reservation.free();
            self.file = Some(file);
        }
        if let Some(file) = &mut self.file {
            append(file, vector, &mut self.bytes, &self.spills)?;
            self.spills.spilled_rows.add(1);
        }
        Ok(())
    }

    /// Reads a vector among those added so far.
    pub fn get<'a>(&'a self, row: usize, buffer: &'a mut Vec<f32>) -> Result<&'a [f32]> {
        match &self.file {
            None => Ok(in_memory(&self.chunks, self.dimensions, row)),
            Some(file) => {
                buffer.resize(self.dimensions, 0.0);
                let offset = (row * self.dimensions * size_of::<f32>()) as u64;
                read(buffer, |bytes| file.read(offset, bytes))?;
                Ok(buffer)
            }
        }
    }

    /// Ends writing.
    pub fn finish(self) -> Result<Vectors> {
        let source = match self.file {
            None => Source::Memory(self.chunks),
            Some(file) => Source::File(file.finish()?),
        };
        Ok(Vectors { dimensions: self.dimensions, rows: self.rows, source, _reservation: self.reservation })
    }
}

fn append(file: &mut BlobWriter, values: &[f32], bytes: &mut Vec<u8>, spills: &SpillMetrics) -> Result<()> {
    little_endian(values, bytes);
    spills.spilled_bytes.add(bytes.len());
    file.append(bytes)?;
    Ok(())
}

/// Fills values with the bytes that `fill` writes.
fn read(values: &mut [f32], fill: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<()> {
    // SAFETY: the bytes are those of the values alone, a byte needs no alignment, and any bytes are floats.
    let bytes = unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast::<u8>(), size_of_val(values)) };
    fill(bytes)?;
    values.iter_mut().for_each(|value| *value = f32::from_bits(u32::from_le(value.to_bits())));
    Ok(())
}

fn in_memory(chunks: &[Vec<f32>], dimensions: usize, row: usize) -> &[f32] {
    &chunks[row / CHUNK][row % CHUNK * dimensions..(row % CHUNK + 1) * dimensions]
}

/// The reading side, which threads can share.
pub struct Vectors {
    dimensions: usize,
    rows: usize,
    source: Source,
    _reservation: MemoryReservation,
}

enum Source {
    Memory(Vec<Vec<f32>>),
    File(Blobs),
}

impl Vectors {
    /// Number of vectors.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no vector.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Values per vector.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Whether the vectors are in memory, where reading them one by one costs no more than reading blocks.
    pub fn are_in_memory(&self) -> bool {
        matches!(self.source, Source::Memory(_))
    }

    /// Reads the vectors from `first` up to, but not including, `end`, concatenated.
    pub fn block<'a>(&'a self, first: usize, end: usize, buffer: &'a mut Vec<f32>) -> Result<&'a [f32]> {
        let width = self.dimensions;
        match &self.source {
            Source::Memory(chunks) if first < end && first / CHUNK == (end - 1) / CHUNK => {
                let start = first % CHUNK * width;
                Ok(&chunks[first / CHUNK][start..start + (end - first) * width])
            }
            Source::Memory(chunks) => {
                buffer.clear();
                (first..end).for_each(|row| buffer.extend_from_slice(in_memory(chunks, width, row)));
                Ok(buffer)
            }
            Source::File(file) => {
                buffer.resize((end - first) * width, 0.0);
                read(buffer, |bytes| file.read((first * width * size_of::<f32>()) as u64, bytes))?;
                Ok(buffer)
            }
        }
    }

    /// Reads the vectors with these numbers into `out`, concatenated.
    pub fn gather(&self, rows: &[u32], out: &mut Vec<f32>) -> Result<()> {
        out.resize(rows.len() * self.dimensions, 0.0);
        for (&row, out) in rows.iter().zip(out.chunks_exact_mut(self.dimensions.max(1))) {
            let row = row as usize;
            match &self.source {
                Source::Memory(chunks) => out.copy_from_slice(in_memory(chunks, self.dimensions, row)),
                Source::File(file) => {
                    let offset = (row * self.dimensions * size_of::<f32>()) as u64;
                    read(out, |bytes| file.read(offset, bytes))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;

    use super::*;

    #[test]
    fn memory_and_disk_give_the_same_vectors() {
        for bytes in [1 << 30, 100_000] {
            let pool = Arc::new(GreedyMemoryPool::new(bytes));
            let env = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc().unwrap();
            let spills = SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
            let mut store = VectorStore::new("test", &env, spills.clone());
            let vector = |row: usize| -> Vec<f32> { (0..5).map(|i| (row * 7 + i) as f32).collect() };
            for row in 0..9000 {
                store.push(&vector(row)).unwrap();
            }
            assert_eq!(store.get(4500, &mut vec![]).unwrap(), vector(4500));
            assert!(store.push(&[1.0]).unwrap_err().to_string().contains("vectors of 5 and 1 dimensions"));
            let vectors = store.finish().unwrap();
            assert_eq!(spills.spill_file_count.value(), usize::from(bytes < 1 << 20));
            let mut buffer = vec![];
            for (first, end) in [(0, 1), (1000, 1030), (1024, 2048), (8999, 9000), (5, 5)] {
                let expected: Vec<f32> = (first..end).flat_map(vector).collect();
                assert_eq!(vectors.block(first, end, &mut buffer).unwrap(), expected);
            }
            vectors.gather(&[7, 8000, 7], &mut buffer).unwrap();
            assert_eq!(buffer, [vector(7), vector(8000), vector(7)].concat());
        }
    }
}
