//! Column-anchored row samples, which disprove containment from small samples of both tables.
//!
//! For an anchor column, a table keeps all rows whose cell hash is below a threshold, with the cell hashes of every column.
//! If A is contained in B, then below the lower of both thresholds every sampled row of A, once projected, is a sampled row
//! of B. A row that is not proves that A is not contained in B. Samples of whole-row hashes would not survive a projection. A
//! sample never disproves a containment that holds.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::kernels::row_hash::finish;
use crate::kernels::sorted::Rows;

/// Different anchor values kept.
const VALUES: usize = 256;
/// Maximum number of rows kept per table over all anchors. A value with more repetitions than a sample has room for is not
/// kept at all.
const ROWS: usize = 2048;
/// Rows that every anchor may keep, however many there are.
const LEAST: usize = 64;

/// The sample of one anchor.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Column of the anchor, by its place in the table.
    pub anchor: usize,
    /// Values below it are kept with all their rows.
    threshold: u64,
    /// By the upper half of the anchor's cell hash: the rows, cell by cell.
    values: BTreeMap<u64, Vec<u128>>,
    width: usize,
    rows: usize,
    most: usize,
}

impl Sample {
    /// An empty sample over rows of `width` columns, one of `anchors` samples of the table.
    pub fn new(anchor: usize, width: usize, anchors: usize) -> Self {
        let most = (ROWS / anchors.max(1)).max(LEAST);
        Self { anchor, threshold: u64::MAX, values: BTreeMap::new(), width, rows: 0, most }
    }

    /// What is left of it in so many rows.
    #[must_use]
    pub fn cut(&self, most: usize) -> Self {
        let mut less = Self { most: self.most.min(most), ..self.clone() };
        less.shrink();
        less
    }

    fn shrink(&mut self) {
        while self.values.len() > VALUES || self.rows > self.most {
            let Some((value, gone)) = self.values.pop_last() else { break };
            self.threshold = value;
            self.rows -= gone.len() / self.width;
        }
    }

    /// Adds rows, given column by column.
    pub fn add(&mut self, rows: usize, cells: &[Vec<u128>]) {
        for row in 0..rows {
            let value = (cells[self.anchor][row] >> 64) as u64;
            if value >= self.threshold {
                continue;
            }
            self.values.entry(value).or_default().extend(cells.iter().map(|column| column[row]));
            self.rows += 1;
            self.shrink();
        }
    }

    /// Memory it takes, roughly.
    pub fn bytes(&self) -> usize {
        self.rows * self.width * 16 + self.values.len() * 64
    }

    /// Writes the sample.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![];
        for number in [self.anchor as u64, self.threshold, self.width as u64, self.most as u64] {
            bytes.extend(number.to_le_bytes());
        }
        self.values.values().flatten().for_each(|cell| bytes.extend(cell.to_le_bytes()));
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` if the bytes are not valid.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (head, cells) = bytes.split_at_checked(32)?;
        let mut numbers = head.chunks_exact(8).map(|number| number.try_into().map_or(0, u64::from_le_bytes));
        let (anchor, threshold) = (numbers.next()? as usize, numbers.next()?);
        let (width, most) = (numbers.next()? as usize, numbers.next()? as usize);
        if anchor >= width || cells.len() % (16 * width) != 0 {
            return None;
        }
        let cells: Vec<u128> =
            cells.chunks_exact(16).map(|cell| cell.try_into().map_or(0, u128::from_le_bytes)).collect();
        let mut values: BTreeMap<u64, Vec<u128>> = BTreeMap::new();
        for row in cells.chunks_exact(width) {
            values.entry((row[anchor] >> 64) as u64).or_default().extend(row);
        }
        Some(Self { anchor, threshold, values, width, rows: cells.len() / width, most })
    }

    fn below(&self, threshold: u64) -> impl Iterator<Item = &[u128]> {
        self.values.range(..threshold).flat_map(|(_, rows)| rows.chunks_exact(self.width))
    }
}

/// What two samples say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A row of the child is not in the parent.
    Disproved,
    /// All rows of this many anchor values of the child are in the parent.
    Consistent(u64),
}

/// Compares samples of a child and a parent over the same anchor. `places`: for each column of the child, the parent's;
/// `keys`: the factors of the child's columns.
pub fn compare(child: &Sample, parent: &Sample, places: &[usize], keys: &[u128], rows: Rows) -> Verdict {
    let threshold = child.threshold.min(parent.threshold);
    let mut values = 0;
    for (value, _) in child.values.range(..threshold) {
        if !parent.values.contains_key(value) {
            return Verdict::Disproved;
        }
        values += 1;
    }
    let projected = |cells: &[u128], place: &dyn Fn(usize) -> usize| {
        let sum = keys
            .iter()
            .enumerate()
            .fold(0_u128, |sum, (at, key)| sum.wrapping_add(cells[place(at)].wrapping_mul(*key)));
        finish(sum)
    };
    let mut counts: HashMap<u128, i64> = HashMap::new();
    for cells in parent.below(threshold) {
        *counts.entry(projected(cells, &|at| places[at])).or_default() += 1;
    }
    for cells in child.below(threshold) {
        match counts.get_mut(&projected(cells, &|at| at)) {
            None => return Verdict::Disproved,
            Some(count) if rows == Rows::Multiset => {
                *count -= 1;
                if *count < 0 {
                    return Verdict::Disproved;
                }
            }
            Some(_) => {}
        }
    }
    Verdict::Consistent(values)
}

#[cfg(test)]
mod tests {
    use crate::kernels::row_hash::{cell, column_key};
    use limpid_udfs::kernels::random::mix;
    use proptest::prelude::*;

    use super::*;

    fn sample(anchor: usize, columns: &[Vec<u64>]) -> Sample {
        let cells: Vec<Vec<u128>> =
            columns.iter().map(|column| column.iter().map(|value| cell(&value.to_le_bytes())).collect()).collect();
        let mut sample = Sample::new(anchor, columns.len(), 1);
        sample.add(columns[0].len(), &cells);
        sample
    }

    proptest! {
        #[test]
        fn a_true_containment_is_never_disproved(
            seed in any::<u64>(),
            rows in 1_u64..6000,
            distinct in 1_u64..5000,
            share in 1_u64..10,
        ) {
            let parent: Vec<Vec<u64>> = (0..3).map(|c| (0..rows).map(|i| mix(seed ^ (c << 40) ^ i) % distinct).collect()).collect();
            // The child has the parent's columns 2 and 0, and some of its rows, in reverse.
            let keep = |i: &usize| mix(seed ^ *i as u64) % 10 < share;
            let child: Vec<Vec<u64>> = [2, 0].iter().map(|&c: &usize| (0..rows as usize).rev().filter(keep).map(|i| parent[c][i]).collect()).collect();
            let keys = [column_key("x"), column_key("y")];
            if !child[0].is_empty() {
                let kept = Sample::from_bytes(&sample(2, &parent).to_bytes()).unwrap();
                let verdict = compare(&sample(0, &child), &kept, &[2, 0], &keys, Rows::Multiset);
                prop_assert!(verdict != Verdict::Disproved);
                // The other way round there is a row too many, or there is nothing to tell.
                let mut more = child.clone();
                for column in &mut more {
                    column.push(u64::MAX);
                }
                if rows < 200 {
                    let verdict = compare(&sample(0, &more), &sample(2, &parent), &[2, 0], &keys, Rows::Set);
                    prop_assert_eq!(verdict, Verdict::Disproved);
                }
            }
        }
    }
}
