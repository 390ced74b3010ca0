//! Decisions: which content each row has, what became of each content, and the columns that say so.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, UInt32Array};
use arrow::compute::{interleave, take};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;

use super::ranks::{Keys, Ranks};

/// Marks a row without content: a NULL text is nobody's duplicate.
pub const NONE: u32 = u32::MAX;

/// Rows of equal content share one entry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Content {
    /// Its first row in survivor order.
    pub row: u32,
    /// The kept content it duplicates; itself where it is kept.
    pub duplicate_of: u32,
    /// Exact similarity to that content.
    pub similarity: f64,
    /// Any one content of its connected component, the same for all of them.
    pub cluster: u32,
}

/// The outcome for all rows.
pub struct Resolution {
    /// Row number to content, [`NONE`] for NULL.
    pub content: Vec<u32>,
    /// What became of each content.
    pub contents: Vec<Content>,
}

impl Resolution {
    /// Contents that are all kept, each a cluster of its own. `content` numbers them by first arrival; they are
    /// renumbered by survivor order; the second result maps the old number to the new, [`NONE`] where no row has it.
    pub fn by_survivor_order(mut content: Vec<u32>, count: usize, ranks: &Ranks) -> (Self, Vec<u32>) {
        let mut first = vec![NONE; count];
        for (row, &c) in content.iter().enumerate() {
            if c != NONE {
                let best = &mut first[c as usize];
                if *best == NONE || ranks.survivor[row] < ranks.survivor[*best as usize] {
                    *best = row as u32;
                }
            }
        }
        let mut order: Vec<u32> = (0..count as u32).filter(|&c| first[c as usize] != NONE).collect();
        order.sort_unstable_by_key(|&c| ranks.survivor[first[c as usize] as usize]);
        let mut moved = vec![NONE; count];
        let mut contents = Vec::with_capacity(count);
        for (new, &old) in order.iter().enumerate() {
            moved[old as usize] = new as u32;
            let new = new as u32;
            contents.push(Content { row: first[old as usize], duplicate_of: new, similarity: 1.0, cluster: new });
        }
        for c in content.iter_mut().filter(|c| **c != NONE) {
            *c = moved[*c as usize];
        }
        (Self { content, contents }, moved)
    }

    /// Makes the columns: names the rows referred to and fetches their ids.
    pub async fn into_columns(self, keys: &Keys, ranks: &Ranks) -> Result<Columns> {
        let mut smallest = vec![NONE; self.contents.len()];
        for (row, &c) in self.content.iter().enumerate().filter(|(_, c)| **c != NONE) {
            let least = &mut smallest[self.contents[c as usize].cluster as usize];
            if *least == NONE || ranks.id(row as u32) < ranks.id(*least) {
                *least = row as u32;
            }
        }
        let mut columns = Columns { resolution: self, smallest, named: vec![], ids: None };
        let mut is_named = vec![false; columns.resolution.content.len()];
        for row in 0..is_named.len() as u32 {
            let outcome = columns.outcome(row);
            for named in outcome.duplicate.map(|(kept, _)| kept).into_iter().chain([outcome.cluster]) {
                is_named[named as usize] |= named != row;
            }
        }
        columns.named = (0..is_named.len() as u32).filter(|&row| is_named[row as usize]).collect();
        columns.ids = Some(keys.ids(&columns.named).await?);
        Ok(columns)
    }
}

/// What the output says of a row.
struct Outcome {
    duplicate: Option<(u32, f64)>,
    cluster: u32,
}

/// Builds the added columns batch by batch.
pub struct Columns {
    resolution: Resolution,
    smallest: Vec<u32>,
    named: Vec<u32>,
    ids: Option<ArrayRef>,
}

impl Columns {
    fn outcome(&self, row: u32) -> Outcome {
        let number = self.resolution.content[row as usize];
        if number == NONE {
            return Outcome { duplicate: None, cluster: row };
        }
        let contents = &self.resolution.contents;
        let own = contents[number as usize];
        let duplicate = if own.duplicate_of != number {
            Some((contents[own.duplicate_of as usize].row, own.similarity))
        } else {
            (own.row != row).then_some((own.row, 1.0))
        };
        Outcome { duplicate, cluster: self.smallest[own.cluster as usize] }
    }

    /// `passed`, whose rows start at `first`, with the decision columns after its own; `id` is its id column.
    pub fn append(&self, passed: &RecordBatch, id: usize, first: u32, schema: &SchemaRef) -> Result<RecordBatch> {
        let outcomes: Vec<Outcome> = (first..first + passed.num_rows() as u32).map(|row| self.outcome(row)).collect();
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
