//! Merges sorted streams into one.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::TryStreamExt;

use super::limits::BatchLimits;
use super::run::{pick, sort_columns};
use crate::storage::compact::{held, row_bytes};

/// Merges sorted `streams`. Of equal rows, those of earlier streams come first. `reservation` counts the memory held: one
/// batch per stream plus the batches that the next output batch is built from. It is never refused.
pub fn merge(
    schema: SchemaRef,
    streams: Vec<SendableRecordBatchStream>,
    ordering: &LexOrdering,
    limits: BatchLimits,
    reservation: MemoryReservation,
) -> Result<SendableRecordBatchStream> {
    let fields = ordering.iter().map(|by| Ok(SortField::new_with_options(by.expr.data_type(&schema)?, by.options)));
    let converter = RowConverter::new(fields.collect::<Result<Vec<_>>>()?)?;
    let merge = Merge {
        schema: Arc::clone(&schema),
        slots: vec![usize::MAX; streams.len()],
        started: false,
        streams,
        ordering: ordering.clone(),
        converter,
        limits,
        least: reservation.size(),
        reservation,
        heads: BinaryHeap::new(),
        batches: vec![],
    };
    let rows =
        futures::stream::try_unfold(
            merge,
            |mut merge| async move { Ok(merge.next().await?.map(|batch| (batch, merge))) },
        );
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

struct Merge {
    schema: SchemaRef,
    streams: Vec<SendableRecordBatchStream>,
    ordering: LexOrdering,
    converter: RowConverter,
    limits: BatchLimits,
    /// The size of the reservation before the merge.
    least: usize,
    reservation: MemoryReservation,
    started: bool,
    /// The next row of each stream that is not exhausted.
    heads: BinaryHeap<Head>,
    /// Batches with rows not yet yielded.
    batches: Vec<Held>,
    /// The current batch of each stream.
    slots: Vec<usize>,
}

struct Held {
    batch: RecordBatch,
    sizes: Vec<u32>,
    bytes: usize,
}

/// The next row of a stream.
struct Head {
    keys: Arc<Rows>,
    row: usize,
    stream: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap is a max-heap, so reverse the order.
        let keys = other.keys.row(other.row).cmp(&self.keys.row(self.row));
        keys.then(other.stream.cmp(&self.stream))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

impl Merge {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if !self.started {
            self.started = true;
            for stream in 0..self.streams.len() {
                self.advance(stream).await?;
            }
        }
        let mut places = Vec::with_capacity(self.limits.rows.min(1 << 16));
        let mut bytes = 0;
        while places.len() < self.limits.rows {
            let Some(mut head) = self.heads.peek_mut() else { break };
            let slot = self.slots[head.stream];
            let size = self.batches[slot].sizes[head.row] as usize;
            if bytes + size > self.limits.bytes && !places.is_empty() {
                break;
            }
            bytes += size;
            places.push((slot, head.row));
            if head.row + 1 < head.keys.num_rows() {
                head.row += 1;
            } else {
                let stream = PeekMut::pop(head).stream;
                self.advance(stream).await?;
            }
        }
        if places.is_empty() {
            return Ok(None);
        }
        let batches: Vec<_> = self.batches.iter().map(|held| held.batch.clone()).collect();
        let picked = pick(&self.schema, &batches, &places)?;
        drop(batches);
        self.let_go();
        Ok(Some(picked))
    }

    /// Reads the next batch of `stream`.
    async fn advance(&mut self, stream: usize) -> Result<()> {
        self.slots[stream] = usize::MAX;
        while let Some(batch) = self.streams[stream].try_next().await? {
            if batch.num_rows() == 0 {
                continue;
            }
            let columns = sort_columns(&batch, &self.ordering)?;
            let columns: Vec<_> = columns.into_iter().map(|column| column.values).collect();
            let keys = Arc::new(self.converter.convert_columns(&columns)?);
            self.slots[stream] = self.batches.len();
            let bytes = held(&batch) + keys.size();
            self.batches.push(Held { sizes: row_bytes(&batch), batch, bytes });
            self.heads.push(Head { keys, row: 0, stream });
            self.count();
            break;
        }
        Ok(())
    }

    /// Drops the batches whose rows have all been yielded.
    fn let_go(&mut self) {
        let current = self.slots.clone();
        let mut at = 0;
        let mut kept = 0;
        let mut moved = vec![usize::MAX; self.batches.len()];
        self.batches.retain(|_| {
            let keep = current.contains(&at);
            if keep {
                moved[at] = kept;
                kept += 1;
            }
            at += 1;
            keep
        });
        for slot in self.slots.iter_mut().filter(|slot| **slot != usize::MAX) {
            *slot = moved[*slot];
        }
        self.count();
    }

    fn count(&self) {
        let bytes: usize = self.batches.iter().map(|held| held.bytes).sum();
        self.reservation.resize(bytes.max(self.least));
    }
}
