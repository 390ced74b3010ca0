//! Stores record batches in order, in memory while the pool allows, otherwise in one spill file.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::SpillFile;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::SpillManager;
use datafusion::physical_plan::metrics::SpillMetrics;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

use super::compact::{compact, held};

/// Appends a batch to the spill file, or ends the file. (The type of an open spill file has no public name.)
type Spill = Box<dyn FnMut(Option<&RecordBatch>) -> Result<Option<Arc<dyn SpillFile>>> + Send>;

/// Collects batches; [`finish`](Self::finish) makes them readable.
pub struct BatchStore {
    label: &'static str,
    manager: SpillManager,
    reservation: MemoryReservation,
    /// Maximum number of bytes in memory, whatever the pool allows.
    most: usize,
    memory: Vec<RecordBatch>,
    spill: Option<Spill>,
    rows: usize,
}

impl BatchStore {
    /// Creates an empty store for batches of `schema`; `label` names it in errors about memory.
    pub fn new(label: &'static str, schema: SchemaRef, env: &Arc<RuntimeEnv>, metrics: SpillMetrics) -> Self {
        let reservation = MemoryConsumer::new(label).with_can_spill(true).register(&env.memory_pool);
        let manager = SpillManager::new(Arc::clone(env), metrics, schema);
        Self { label, manager, reservation, most: usize::MAX, memory: vec![], spill: None, rows: 0 }
    }

    /// Limits the memory of the store to `bytes`.
    pub fn with_at_most(self, bytes: usize) -> Self {
        Self { most: bytes, ..self }
    }

    /// Adds a batch; moves everything to disk when the pool refuses more memory.
    #[expect(clippy::needless_pass_by_value, reason = "whoever hands a batch over must not keep it")]
    pub fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.rows += batch.num_rows();
        if let Some(spill) = &mut self.spill {
            spill(Some(&batch))?;
            return Ok(());
        }
        // A stored batch must not retain, or be charged for, buffers that it shares with dropped batches.
        let batch = compact(&batch)?;
        let bytes = held(&batch);
        if self.reservation.size().saturating_add(bytes) <= self.most && self.reservation.try_grow(bytes).is_ok() {
            self.memory.push(batch);
            return Ok(());
        }
        let mut file = self.manager.create_in_progress_file(self.label)?;
        let mut spill: Spill = Box::new(move |batch| match batch {
            Some(batch) => file.append_batch(batch).map(|_| None),
            None => file.finish(),
        });
        for batch in self.memory.drain(..).chain([batch]) {
            spill(Some(&batch))?;
        }
        self.reservation.free();
        self.spill = Some(spill);
        Ok(())
    }

    /// Rows added so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Ends writing.
    pub fn finish(mut self) -> Result<StoredBatches> {
        let file = match &mut self.spill {
            Some(spill) => spill(None)?,
            None => None,
        };
        Ok(StoredBatches { manager: self.manager, _reservation: self.reservation, memory: self.memory, file })
    }
}

/// Batches that can be read any number of times, in the order they were added.
pub struct StoredBatches {
    manager: SpillManager,
    _reservation: MemoryReservation,
    memory: Vec<RecordBatch>,
    file: Option<Arc<dyn SpillFile>>,
}

impl StoredBatches {
    /// Returns a new stream over all batches.
    pub fn stream(&self) -> Result<SendableRecordBatchStream> {
        if let Some(file) = &self.file {
            return self.manager.read_spill_as_stream(Arc::clone(file), None);
        }
        let batches = futures::stream::iter(self.memory.clone().into_iter().map(Ok));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(self.manager.schema()), batches)))
    }
}
