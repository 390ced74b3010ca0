//! Windows whose frames move along with the rows: only the rows of the frames are kept.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::concat;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::utils::{evaluate_partition_ranges, get_row_at_idx};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::logical_expr::window_state::PartitionBatchState;
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_expr::window::{PartitionBatches, PartitionWindowAggStates, WindowEvalContext, WindowExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::BoundedWindowAggExec;
use futures::TryStreamExt;
use limpid_udfs::storage::compact::{compact, compact_array, held};

/// The rows of `input`, whose partitions are sorted, with the columns of `window`.
pub fn stream(
    window: &BoundedWindowAggExec,
    input: SendableRecordBatchStream,
    reservation: MemoryReservation,
) -> Result<SendableRecordBatchStream> {
    let schema = window.schema();
    let frames = Frames {
        schema: Arc::clone(&schema),
        functions: window.window_expr().to_vec(),
        keys: window.partition_by_sort_keys()?,
        states: window.window_expr().iter().map(|_| PartitionWindowAggStates::default()).collect(),
        input,
        reservation,
        waiting: VecDeque::new(),
        partitions: PartitionBatches::default(),
        ready: VecDeque::new(),
        ended: false,
    };
    let rows = futures::stream::try_unfold(frames, |mut frames| async move {
        Ok(frames.next().await?.map(|batch| (batch, frames)))
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

struct Frames {
    schema: SchemaRef,
    functions: Vec<Arc<dyn WindowExpr>>,
    keys: Vec<PhysicalSortExpr>,
    input: SendableRecordBatchStream,
    reservation: MemoryReservation,
    /// Rows whose results are not all known yet.
    waiting: VecDeque<RecordBatch>,
    /// Rows that frames may still read; all partitions but the last have ended.
    partitions: PartitionBatches,
    /// Of each function, its state in each partition.
    states: Vec<PartitionWindowAggStates>,
    /// Rows with their results.
    ready: VecDeque<RecordBatch>,
    ended: bool,
}

impl Frames {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            if self.ended {
                return Ok(None);
            }
            match self.input.try_next().await? {
                Some(batch) if batch.num_rows() == 0 => continue,
                Some(batch) => self.add(compact(&batch)?)?,
                None => {
                    self.ended = true;
                    self.partitions.values_mut().for_each(|partition| partition.is_end = true);
                }
            }
            self.evaluate()?;
            self.count()?;
        }
    }

    fn add(&mut self, batch: RecordBatch) -> Result<()> {
        let columns = self.keys.iter().map(|key| key.evaluate_to_sort_column(&batch)).collect::<Result<Vec<_>>>()?;
        let ranges = evaluate_partition_ranges(batch.num_rows(), &columns)?;
        let keys: Vec<ArrayRef> = columns.into_iter().map(|column| column.values).collect();
        for range in ranges {
            let key = get_row_at_idx(&keys, range.start)?;
            let rows = batch.slice(range.start, range.len());
            // What a batch says of its own NULLs may differ from what the plan says.
            let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
            let rows = RecordBatch::try_new_with_options(self.input.schema(), rows.columns().to_vec(), &options)?;
            match self.partitions.get_mut(&key) {
                Some(partition) => {
                    partition.extend(&rows)?;
                    partition.record_batch = compact(&partition.record_batch)?;
                }
                None => {
                    self.partitions.insert(key, PartitionBatchState::new_with_batch(rows));
                }
            }
        }
        let last = self.partitions.len().saturating_sub(1);
        self.partitions.values_mut().take(last).for_each(|partition| partition.is_end = true);
        self.waiting.push_back(batch);
        Ok(())
    }

    /// Computes what the rows so far allow, and moves rows whose results are known.
    fn evaluate(&mut self) -> Result<()> {
        for (function, states) in self.functions.iter().zip(&mut self.states) {
            function.evaluate_stateful(&self.partitions, states, &WindowEvalContext::default())?;
        }
        let known = self.states.iter().map(known).min().unwrap_or(0);
        if known == 0 {
            return Ok(());
        }
        let results = self.states.iter_mut().map(|states| take(states, known)).collect::<Result<Vec<_>>>()?;
        self.hand_out(known, &results)?;
        self.prune()
    }

    /// Adds their results to the first `rows` waiting rows.
    fn hand_out(&mut self, rows: usize, results: &[ArrayRef]) -> Result<()> {
        let mut at = 0;
        while at < rows {
            let Some(batch) = self.waiting.pop_front() else { break };
            let length = batch.num_rows().min(rows - at);
            if length < batch.num_rows() {
                self.waiting.push_front(compact(&batch.slice(length, batch.num_rows() - length))?);
            }
            let columns = batch.columns().iter().map(|column| column.slice(0, length));
            let columns = columns.chain(results.iter().map(|result| result.slice(at, length)));
            self.ready.push_back(RecordBatch::try_new(Arc::clone(&self.schema), columns.collect())?);
            at += length;
        }
        Ok(())
    }

    /// Drops partitions that have ended and rows that no frame will read again.
    fn prune(&mut self) -> Result<()> {
        self.partitions.retain(|_, partition| !partition.is_end);
        self.states.iter_mut().for_each(|states| states.retain(|_, window| !window.state.is_end));
        for (key, partition) in &mut self.partitions {
            let passed = self.states.iter().map(|states| {
                let state = states.get(key).map(|window| &window.state);
                state.map_or(0, |state| state.window_frame_range.start.min(state.last_calculated_index))
            });
            let passed = passed.min().unwrap_or(0);
            if passed > 0 {
                let rows = &partition.record_batch;
                partition.record_batch = compact(&rows.slice(passed, rows.num_rows() - passed))?;
                let windows = self.states.iter_mut().filter_map(|states| states.get_mut(key));
                windows.for_each(|window| window.state.prune_state(passed));
            }
        }
        Ok(())
    }

    fn count(&self) -> Result<()> {
        let waiting: usize = self.waiting.iter().map(held).sum();
        let partitions: usize = self.partitions.values().map(|partition| held(&partition.record_batch)).sum();
        self.reservation.try_resize(waiting + partitions)
    }
}

/// Results of a function that can be handed out: up to the first partition that lacks some.
fn known(states: &PartitionWindowAggStates) -> usize {
    let mut rows = 0;
    for window in states.values() {
        rows += window.state.out_col.len();
        if window.state.n_row_result_missing > 0 {
            break;
        }
    }
    rows
}

/// Takes the first `rows` results of a function.
fn take(states: &mut PartitionWindowAggStates, rows: usize) -> Result<ArrayRef> {
    let mut left = rows;
    let mut parts: Vec<ArrayRef> = Vec::new();
    for window in states.values_mut() {
        let results = &mut window.state.out_col;
        let taken = left.min(results.len());
        if taken > 0 {
            parts.push(results.slice(0, taken));
            // Later results are appended to these, which would otherwise retain all texts handed out.
            *results = compact_array(&results.slice(taken, results.len() - taken))?;
            left -= taken;
        }
        if left == 0 {
            break;
        }
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    Ok(concat(&parts)?)
}
