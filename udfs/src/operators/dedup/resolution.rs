//! Decisions: the content of each row, the decision about each content, and the output columns built from them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, BooleanBufferBuilder, Float64Array, RecordBatch, UInt32Array};
use arrow::compute::{interleave, take};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};

use super::ranks::{Keys, Ranks};
use crate::operators::frame::OperatorContext;
use crate::storage::numbers::{Number, Numbers};
use crate::storage::records::RecordSorter;

/// Marks a row without content. A NULL text is not a duplicate of anything.
pub const NONE: u32 = u32::MAX;

/// A content, shared by all rows that have it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Content {
    /// The first row with this content, in survivor order.
    pub row: u32,
    /// The kept content that this one duplicates; itself if it is kept.
    pub duplicate_of: u32,
    /// Exact similarity to that content.
    pub similarity: f64,
    /// A representative of the connected component, the same for all of its contents.
    pub cluster: u32,
}

impl Number for Content {
    const BYTES: usize = 20;

    fn put(self, bytes: &mut [u8]) {
        (((self.row, self.duplicate_of), self.cluster), self.similarity).put(bytes);
    }

    fn take(bytes: &[u8]) -> Self {
        let (((row, duplicate_of), cluster), similarity) = Number::take(bytes);
        Self { row, duplicate_of, similarity, cluster }
    }
}

/// The decisions about all rows.
pub struct Resolution {
    /// Maps the row number to the content; [`NONE`] for NULL.
    pub content: Numbers<u32>,
    /// The decision about each content.
    pub contents: Numbers<Content>,
}

impl Resolution {
    /// Builds contents that are all kept, each in a cluster of its own. `content` numbers them by first arrival; they are
    /// renumbered by survivor order. The second result maps old numbers to new ones, [`NONE`] for numbers that no row has.
    pub fn by_survivor_order(
        mut content: Numbers<u32>,
        count: usize,
        ranks: &Ranks,
        context: &OperatorContext,
    ) -> Result<(Self, Numbers<u32>)> {
        let mut first = context.filled("first rows of contents", count, NONE)?;
        for (row, c) in content.iter().enumerate() {
            let c = c? as usize;
            if c != NONE as usize {
                let best = first.get(c)?;
                if best == NONE || ranks.survivor.get(row)? < ranks.survivor.get(best as usize)? {
                    first.set(c, row as u32)?;
                }
            }
        }
        let env = context.task.runtime_env();
        let mut order = RecordSorter::<1>::new("order of contents", &env, context.spills.clone());
        for (c, row) in first.iter().enumerate() {
            let row = row?;
            if row != NONE {
                order.push([u64::from(ranks.survivor.get(row as usize)?) << 32 | c as u64])?;
            }
        }
        let mut moved = context.filled("new numbers of contents", count, NONE)?;
        let mut contents = context.numbers("contents");
        for (new, record) in (0..).zip(order.finish()?) {
            let old = record?[0] as u32 as usize;
            moved.set(old, new)?;
            contents.push(Content { row: first.get(old)?, duplicate_of: new, similarity: 1.0, cluster: new })?;
        }
        content.update(|_, c| if c == NONE { Ok(NONE) } else { moved.get(c as usize) })?;
        Ok((Self { content, contents }, moved))
    }

    /// Prepares the output columns: determines the rows to refer to and fetches their ids.
    pub async fn into_columns(self, keys: &Keys, ranks: &Ranks, context: &OperatorContext) -> Result<Columns> {
        let mut smallest = context.filled("smallest ids of clusters", self.contents.len(), NONE)?;
        for (row, c) in self.content.iter().enumerate() {
            let c = c?;
            if c != NONE {
                let cluster = self.contents.get(c as usize)?.cluster as usize;
                let least = smallest.get(cluster)?;
                if least == NONE || ranks.id(row as u32)? < ranks.id(least)? {
                    smallest.set(cluster, row as u32)?;
                }
            }
        }
        let rows = self.content.len();
        let reservation = MemoryConsumer::new("rows referred to").register(&context.task.runtime_env().memory_pool);
        let mut columns = Columns { resolution: self, smallest, named: vec![], ids: None, reservation };
        columns.reservation.grow(rows.div_ceil(8));
        let mut is_named = BooleanBufferBuilder::new(rows);
        is_named.append_n(rows, false);
        for (row, c) in (0..).zip(columns.resolution.content.iter()) {
            let outcome = columns.outcome(row, c?)?;
            for named in outcome.duplicate.map(|(kept, _)| kept).into_iter().chain([outcome.cluster]) {
                if named != row {
                    is_named.set_bit(named as usize, true);
                }
            }
        }
        let is_named = is_named.finish();
        columns.reservation.grow(is_named.count_set_bits() * size_of::<u32>());
        let mut named = Vec::with_capacity(is_named.count_set_bits());
        named.extend(is_named.set_indices().map(|row| row as u32));
        columns.named = named;
        let ids = keys.ids(&columns.named).await?;
        columns.reservation.grow(ids.get_array_memory_size());
        columns.ids = Some(ids);
        Ok(columns)
    }
}

/// The decision about one row, as the output shows it.
struct Outcome {
    duplicate: Option<(u32, f64)>,
    cluster: u32,
}

/// Builds the decision columns, batch by batch.
pub struct Columns {
    resolution: Resolution,
    smallest: Numbers<u32>,
    named: Vec<u32>,
    ids: Option<ArrayRef>,
    reservation: MemoryReservation,
}

impl Columns {
    /// The decision about `row`, whose content has the number `number`.
    fn outcome(&self, row: u32, number: u32) -> Result<Outcome> {
        if number == NONE {
            return Ok(Outcome { duplicate: None, cluster: row });
        }
        let contents = &self.resolution.contents;
        let own = contents.get(number as usize)?;
        let duplicate = if own.duplicate_of != number {
            Some((contents.get(own.duplicate_of as usize)?.row, own.similarity))
        } else {
            (own.row != row).then_some((own.row, 1.0))
        };
        Ok(Outcome { duplicate, cluster: self.smallest.get(own.cluster as usize)? })
    }

    /// Appends the decision columns to `passed`, whose rows start at `first`. `id` is its id column.
    pub fn append(&self, passed: &RecordBatch, id: usize, first: u32, schema: &SchemaRef) -> Result<RecordBatch> {
        let mut numbers = vec![];
        self.resolution.content.read(first as usize..first as usize + passed.num_rows(), &mut numbers)?;
        let outcomes = (first..).zip(numbers).map(|(row, number)| self.outcome(row, number));
        let outcomes: Vec<Outcome> = outcomes.collect::<Result<_>>()?;
        let at = |row: u32| self.named.partition_point(|&named| named < row);
        let ids = self.ids.as_ref().unwrap_or_else(|| passed.column(id));
        let duplicates: UInt32Array = outcomes.iter().map(|o| o.duplicate.map(|(kept, _)| at(kept) as u32)).collect();
        let clusters: Vec<(usize, usize)> = outcomes
            .iter()
            .enumerate()
            .map(|(here, o)| if o.cluster == first + here as u32 { (1, here) } else { (0, at(o.cluster)) })
            .collect();
        let mut columns = passed.columns().to_vec();
        columns.push(Arc::new(outcomes.iter().map(|o| Some(o.duplicate.is_none())).collect::<BooleanArray>()));
        columns.push(take(ids, &duplicates, None)?);
        columns.push(Arc::new(outcomes.iter().map(|o| o.duplicate.map(|(_, s)| s)).collect::<Float64Array>()));
        columns.push(interleave(&[ids, passed.column(id)], &clusters)?);
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }
}
