//! Sketches of single columns, to find containment between columns with different names.
//!
//! A sketch keeps the smallest hashes of a column's distinct values, and the sum of the hashes of all values. If all values
//! of a column occur in another column, then each of its smallest hashes within the reach of the other sketch must be in that
//! sketch; a missing value is a proof of the contrary.

use std::collections::BTreeSet;

use crate::kernels::row_hash::{Fingerprint, finish};

/// Different values kept.
const VALUES: usize = 128;

/// The values of a column, including NULL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnSketch {
    /// Their number and sum: equal for equal multisets of values.
    pub sum: Fingerprint,
    /// The smallest hashes of different values.
    values: BTreeSet<u64>,
    /// The greatest of `values` if there were more.
    reaches: Option<u64>,
}

impl ColumnSketch {
    /// Adds the hashes of cells.
    pub fn add(&mut self, cells: &[u128]) {
        for &cell in cells {
            self.sum.add(finish(cell));
            let value = (cell >> 64) as u64;
            if self.reaches.is_some_and(|reaches| value > reaches) {
                continue;
            }
            self.values.insert(value);
            if self.values.len() > VALUES {
                self.values.pop_last();
                self.reaches = self.values.last().copied();
            }
        }
    }

    /// Whether all values may occur in `parent`.
    pub fn may_be_in(&self, parent: &Self) -> bool {
        let reaches = parent.reaches.unwrap_or(u64::MAX);
        self.values.range(..=reaches).all(|value| parent.values.contains(value))
    }

    /// How many of the kept values `parent` has, and for how many it can tell.
    pub fn found_in(&self, parent: &Self) -> (usize, usize) {
        let reaches = parent.reaches.unwrap_or(u64::MAX);
        let tested = self.values.range(..=reaches);
        tested.fold((0, 0), |(hits, all), value| (hits + usize::from(parent.values.contains(value)), all + 1))
    }

    /// Estimated number of distinct values: the kept ones lie as densely as all (Bar-Yossef et al., Counting distinct
    /// elements in a data stream, 2002).
    pub fn distinct(&self) -> f64 {
        match self.reaches {
            None => self.values.len() as f64,
            Some(reaches) => (self.values.len() - 1) as f64 * (u64::MAX as f64 / reaches.max(1) as f64),
        }
    }

    /// The smallest hash.
    pub fn least(&self) -> Option<u64> {
        self.values.first().copied()
    }

    /// Up to which hash the sketch knows all values; `None` if it knows all.
    pub fn reaches(&self) -> Option<u64> {
        self.reaches
    }

    /// The hashes kept.
    pub fn values(&self) -> impl Iterator<Item = u64> {
        self.values.iter().copied()
    }

    /// Memory it takes, roughly.
    pub fn bytes(&self) -> usize {
        64 + self.values.len() * 16
    }
}

#[cfg(test)]
mod tests {
    use limpid_udfs::kernels::random::mix;
    use proptest::prelude::*;

    use super::*;

    fn sketch(values: impl Iterator<Item = u64>) -> ColumnSketch {
        let mut sketch = ColumnSketch::default();
        let cells: Vec<u128> = values.map(|value| u128::from(mix(value)) << 64 | u128::from(value)).collect();
        cells.chunks(100).for_each(|cells| sketch.add(cells));
        sketch
    }

    proptest! {
        #[test]
        fn what_is_contained_is_never_ruled_out(distinct in 1_u64..2000, share in 1_u64..10, seed in any::<u64>()) {
            let parent = sketch((0..3000).map(|i| mix(seed ^ i) % distinct));
            let child = sketch((0..3000).filter(|i| mix(*i) % 10 < share).map(|i| mix(seed ^ i) % distinct));
            prop_assert!(child.may_be_in(&parent));
            prop_assert!(!sketch((0..3000).map(|i| i + 5000)).may_be_in(&parent));
        }
    }
}
