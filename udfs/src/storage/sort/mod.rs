//! Sorts batches within the memory pool.
//!
//! Rows are collected until the pool refuses more, then sorted and written as one run of batches of bounded size in bytes. In
//! the end the runs are merged. DataFusion's own sort counts buffers shared by views once per batch, and bounds batches by
//! rows only, so it fails on texts under almost any limit.

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

/// Maximum size of a run in memory, even if the pool would allow more: the offsets of texts have 32 bits.
const RUN_BYTES: usize = 1 << 30;

/// Memory, in batches, that a sort tries to set aside for merging: at most a sixteenth of the limit, and a quarter for all
/// sorts together.
const MERGING: usize = 32;

/// Memory of a run in a merge, in batches: the current one, its keys, and the next one being read.
const A_RUN: usize = 3;

/// With `fetch`, rows are cut back once there are this many beyond twice the wanted number.
const SURPLUS: usize = 1 << 13;

/// Sorts the rows of `input` by `ordering`; with `fetch`, only the first so many are returned. `name` appears in messages
/// about memory.
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

/// Sorts stored rows by the given columns; `name` appears in messages about memory.
///
/// # Errors
/// There is no column to sort by, or the rows cannot be read.
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

/// Presents stored rows as a plan's input.
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
    /// Memory of the collected rows.
    collected: MemoryReservation,
    /// Memory for merging. It is reserved with the first row, so that other operators cannot take it.
    merging: MemoryReservation,
    /// The number of bytes wanted for merging.
    wanted: usize,
    pool: Arc<dyn MemoryPool>,
    batches: Vec<RecordBatch>,
    /// Number of rows in `batches`.
    rows: usize,
    /// The number of rows wanted, and an upper bound on the last of them.
    fetch: Option<(usize, Threshold)>,
    /// Written runs, each with the size of its largest batch in bytes.
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
        // Every partition sorts, and together the sorts leave three quarters of the memory to their inputs. If that is too
        // little memory, the merge takes more passes.
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

    /// Reserves memory for merging from the half that sorts and others may take; a plan may contain dozens of sorts.
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
            // The rows stay reserved until the last of them has been yielded.
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
                // The batch exists even if the pool refuses; it is spilled at once.
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

    /// Drops rows that cannot be among the wanted ones.
    fn cut(&mut self) -> Result<()> {
        let kept = self.run()?.collect::<Result<Vec<_>>>()?;
        let bytes = kept.iter().map(|batch| run::cost(batch, &self.ordering)).sum::<Result<usize>>()?;
        self.rows = kept.iter().map(RecordBatch::num_rows).sum();
        self.batches = kept;
        self.collected.free();
        if self.collected.try_grow(bytes).is_err() { self.spill() } else { Ok(()) }
    }

    /// Sorts the collected rows.
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

    /// Sorts the collected rows and writes them as a run.
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

    /// Merges runs until a single stream is left.
    async fn merge_runs(mut self) -> Result<SendableRecordBatchStream> {
        loop {
            let largest = self.runs.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0).max(1);
            // At least two runs must be merged, whatever the pool says.
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
