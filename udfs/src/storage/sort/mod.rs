//! Batches sorted within the memory pool.
//!
//! Rows are collected until the pool refuses more, sorted, and written as one run of batches that are bounded in bytes; in the end
//! the runs are merged. DataFusion's own sort counts the buffers that views share once for every batch, and bounds batches by
//! rows only: it fails on texts under almost any limit.

mod limits;
mod merge;
mod run;
mod threshold;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, SpillFile, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::metrics::SpillMetrics;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, SpillManager};
use futures::TryStreamExt;

use super::batches::StoredBatches;
use super::compact::{compact, held};
pub use limits::BatchLimits;
pub use merge::merge;
use run::{Run, sort_columns};
use threshold::Threshold;

/// Bytes in memory after which a run ends although the pool would give more: offsets of texts have 32 bits.
const RUN_BYTES: usize = 1 << 30;

/// Batches' worth of memory that a sort sets aside for merging, where it gets it: a sixteenth of a limit, and a quarter for all at most.
const MERGING: usize = 32;

/// What a run takes in a merge, in batches: one, its keys, and the one that is read next.
const A_RUN: usize = 3;

/// Rows beyond twice those that are wanted, after which the others are thrown away.
const SURPLUS: usize = 1 << 13;

/// The rows of `input` in `ordering`, with `fetch` the first so many of them; `name` stands in messages about memory.
pub fn sort(
    name: &str,
    input: SendableRecordBatchStream,
    ordering: LexOrdering,
    fetch: Option<usize>,
    context: &TaskContext,
    metrics: SpillMetrics,
) -> SendableRecordBatchStream {
    let schema = input.schema();
    let sorter = Sorter::new(name, Arc::clone(&schema), ordering, fetch, context, metrics);
    let sorted = futures::stream::once(sorter.sort(input)).try_flatten();
    Box::pin(RecordBatchStreamAdapter::new(schema, sorted))
}

/// The stored rows ordered by these columns; `name` stands in messages about memory.
///
/// # Errors
/// There is no column to order by, or the rows cannot be read.
pub fn sort_stored(
    name: &str,
    batches: &Arc<StoredBatches>,
    order: &[(usize, SortOptions)],
    task: &Arc<TaskContext>,
    metrics: SpillMetrics,
) -> Result<SendableRecordBatchStream> {
    let rows = batches.stream()?;
    let schema = rows.schema();
    let exprs = order.iter().map(|&(column, options)| {
        PhysicalSortExpr::new(Arc::new(Column::new(schema.field(column).name(), column)), options)
    });
    let ordering = LexOrdering::new(exprs).ok_or_else(|| internal_datafusion_err!("an order without columns"))?;
    if matches!(task.memory_pool().memory_limit(), MemoryLimit::Finite(_)) {
        return Ok(sort(name, rows, ordering, None, task, metrics));
    }
    let source = Arc::new(Source { batches: Arc::clone(batches), schema: Arc::clone(&schema) });
    let source = StreamingTableExec::try_new(schema, vec![source], None, vec![], false, None)?;
    SortExec::new(ordering, Arc::new(source)).execute(0, Arc::clone(task))
}

/// Stored rows as a plan reads them.
struct Source {
    batches: Arc<StoredBatches>,
    schema: SchemaRef,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stored rows")
    }
}

impl PartitionStream for Source {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        match self.batches.stream() {
            Ok(stream) => stream,
            Err(e) => Box::pin(RecordBatchStreamAdapter::new(
                Arc::clone(&self.schema),
                futures::stream::once(async { Err(e) }),
            )),
        }
    }
}

struct Sorter {
    schema: SchemaRef,
    ordering: LexOrdering,
    limits: BatchLimits,
    manager: SpillManager,
    /// For the rows that were collected.
    collected: MemoryReservation,
    /// For merging; taken with the first row, so that rows of other operators cannot take its place.
    merging: MemoryReservation,
    /// The bytes that it wants for that.
    wanted: usize,
    pool: Arc<dyn MemoryPool>,
    batches: Vec<RecordBatch>,
    /// Rows in `batches`.
    rows: usize,
    /// The number of rows that are wanted, and what the last of them is at most.
    fetch: Option<(usize, Threshold)>,
    /// Written runs, and the bytes of their largest batch.
    runs: Vec<(Arc<dyn SpillFile>, usize)>,
}

impl Sorter {
    fn new(
        name: &str,
        schema: SchemaRef,
        ordering: LexOrdering,
        fetch: Option<usize>,
        context: &TaskContext,
        metrics: SpillMetrics,
    ) -> Self {
        let pool: &Arc<dyn MemoryPool> = context.memory_pool();
        let limits = BatchLimits::of(context);
        let merging = MemoryConsumer::new(format!("{name} merge")).register(pool);
        // Every partition sorts, and together they leave three quarters to what their inputs work with. Where that is little, the
        // merge takes more passes.
        let most = match pool.memory_limit() {
            MemoryLimit::Finite(limit) => limit / 4 / context.session_config().target_partitions().max(1),
            _ => usize::MAX,
        };
        let wanted = (MERGING * limits.bytes).min(most);
        let pool = Arc::clone(pool);
        let manager = SpillManager::new(context.runtime_env(), metrics, Arc::clone(&schema))
            .with_compression_type(context.session_config().spill_compression());
        let collected = MemoryConsumer::new(name).with_can_spill(true).register(&pool);
        let fetch = fetch.map(|rows| (rows, Threshold::default()));
        let (batches, rows, runs) = (vec![], 0, vec![]);
        Self { schema, ordering, limits, manager, collected, merging, wanted, pool, batches, rows, fetch, runs }
    }

    /// Sets memory for merging aside, of the half that anything may take: a plan may have dozens of sorts.
    fn set_aside(&mut self) {
        let room = match self.pool.memory_limit() {
            MemoryLimit::Finite(limit) => (limit / 2).saturating_sub(self.pool.reserved()),
            _ => usize::MAX,
        };
        let lacking = self.wanted.saturating_sub(self.merging.size());
        let _ = self.merging.try_grow(lacking.min(room));
    }

    async fn sort(mut self, mut input: SendableRecordBatchStream) -> Result<SendableRecordBatchStream> {
        while let Some(batch) = input.try_next().await? {
            let batch = match &self.fetch {
                Some((_, threshold)) => threshold.before(&batch, &self.ordering)?,
                None => batch,
            };
            if batch.num_rows() > 0 {
                if self.rows == 0 && self.runs.is_empty() {
                    self.set_aside();
                }
                self.push(compact(&batch)?)?;
            }
        }
        drop(input);
        if self.runs.is_empty() {
            self.merging.free();
            let run = self.run()?;
            let collected = self.collected;
            // The rows stay reserved until the last of them went on.
            let batches = run.inspect(move |_| {
                let _ = collected.size();
            });
            let batches = futures::stream::iter(batches);
            return Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema, batches)));
        }
        self.spill()?;
        self.set_aside();
        self.merge_runs().await
    }

    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let bytes = run::cost(&batch, &self.ordering)?;
        let refused =
            |sorter: &Self| sorter.collected.size() + bytes > RUN_BYTES || sorter.collected.try_grow(bytes).is_err();
        if refused(self) {
            self.spill()?;
            if refused(self) {
                // The batch is there whatever the pool says; it leaves at once.
                self.rows += batch.num_rows();
                self.batches.push(batch);
                return self.spill();
            }
        }
        self.rows += batch.num_rows();
        self.batches.push(batch);
        match &self.fetch {
            Some((fetch, _)) if self.rows / 2 > *fetch && self.rows - 2 * fetch > SURPLUS => self.cut(),
            _ => Ok(()),
        }
    }

    /// Throws away the rows that are not among those that are wanted.
    fn cut(&mut self) -> Result<()> {
        let kept = self.run()?.collect::<Result<Vec<_>>>()?;
        let bytes = kept.iter().map(|batch| run::cost(batch, &self.ordering)).sum::<Result<usize>>()?;
        self.rows = kept.iter().map(RecordBatch::num_rows).sum();
        self.batches = kept;
        self.collected.free();
        if self.collected.try_grow(bytes).is_err() { self.spill() } else { Ok(()) }
    }

    /// The collected rows in order.
    fn run(&mut self) -> Result<Run> {
        let batches = std::mem::take(&mut self.batches);
        self.rows = 0;
        let keys = batches.iter().map(|batch| sort_columns(batch, &self.ordering)).collect::<Result<Vec<_>>>()?;
        let fetch = self.fetch.as_ref().map(|(rows, _)| *rows);
        let (run, last) = Run::new(Arc::clone(&self.schema), batches, keys, fetch, self.limits)?;
        if let (Some((_, threshold)), Some(last)) = (&mut self.fetch, last) {
            threshold.lower(&last, &self.ordering)?;
        }
        Ok(run)
    }

    /// Writes the collected rows as a run.
    fn spill(&mut self) -> Result<()> {
        if self.batches.is_empty() {
            return Ok(());
        }
        let mut file = self.manager.create_in_progress_file("sort")?;
        let mut largest = 0;
        for batch in self.run()? {
            let batch = batch?;
            file.append_batch(&batch)?;
            largest = largest.max(held(&batch));
        }
        self.collected.free();
        self.runs.extend(file.finish()?.map(|file| (file, largest)));
        Ok(())
    }

    /// Merges until one stream is left.
    async fn merge_runs(mut self) -> Result<SendableRecordBatchStream> {
        loop {
            let largest = self.runs.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0).max(1);
            // Two runs are merged whatever the pool says; there is no other way.
            let least = 3 * A_RUN * largest;
            if self.merging.size() < least {
                let _ = self.merging.try_grow(least - self.merging.size());
            }
            let fan_in = (self.merging.size() / (A_RUN * largest)).saturating_sub(1).max(2);
            let last = self.runs.len() <= fan_in;
            let now = self.runs.drain(..fan_in.min(self.runs.len()));
            let streams = now.map(|(file, _)| self.manager.read_spill_as_stream_unbuffered(file, None));
            let streams = streams.collect::<Result<Vec<_>>>()?;
            let reservation = if last { self.merging.take() } else { self.merging.new_empty() };
            let mut merged = merge(Arc::clone(&self.schema), streams, &self.ordering, self.limits, reservation)?;
            if last {
                return Ok(merged);
            }
            let mut file = self.manager.create_in_progress_file("sort")?;
            let mut largest = 0;
            let mut left = self.fetch.as_ref().map_or(usize::MAX, |(rows, _)| *rows);
            while left > 0
                && let Some(batch) = merged.try_next().await?
            {
                left = left.saturating_sub(batch.num_rows());
                file.append_batch(&batch)?;
                largest = largest.max(held(&batch));
            }
            self.runs.extend(file.finish()?.map(|file| (file, largest)));
        }
    }
}

#[cfg(test)]
mod tests;
