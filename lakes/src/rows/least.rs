//! The smallest row hashes of a table: a few bytes that exclude most tables without its rows.

use datafusion::common::Result;
use hashbrown::HashSet;

use super::RowHashes;

/// Different hashes kept.
const VALUES: usize = 256;

/// The smallest different row hashes, cut to 64 bits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Least {
    values: Vec<u64>,
    /// The largest of `values`, if there were more.
    reaches: Option<u64>,
}

impl Least {
    /// Of these rows.
    ///
    /// # Errors
    /// Those of temporary files.
    pub fn of(hashes: &RowHashes) -> Result<Self> {
        let mut values = vec![];
        hashes.each_while(|row| {
            let value = (row >> 64) as u64;
            if values.last() != Some(&value) {
                values.push(value);
            }
            values.len() <= VALUES
        })?;
        let more = values.len() > VALUES;
        values.truncate(VALUES);
        let reaches = values.last().copied().filter(|_| more);
        Ok(Self { values, reaches })
    }

    /// Whether all rows can be among those of `parent`, over the same columns.
    pub fn may_be_in(&self, parent: &Self) -> bool {
        let reaches = parent.reaches.unwrap_or(u64::MAX);
        self.values
            .iter()
            .take_while(|value| **value <= reaches)
            .all(|value| parent.values.binary_search(value).is_ok())
    }

    /// Whether they can be among rows of these hashes.
    pub fn are_in(&self, rows: &HashSet<u64>) -> bool {
        self.values.iter().all(|value| rows.contains(value))
    }

    /// Writes them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let more = u64::from(self.reaches.is_some());
        std::iter::once(more).chain(self.values.iter().copied()).flat_map(u64::to_le_bytes).collect()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` if the bytes are not valid.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut numbers = bytes.chunks(8).map(|number| number.try_into().ok().map(u64::from_le_bytes));
        let more = numbers.next()?? == 1;
        let values = numbers.collect::<Option<Vec<u64>>>()?;
        let reaches = values.last().copied().filter(|_| more);
        Some(Self { values, reaches })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::execution::runtime_env::RuntimeEnv;
    use limpid_udfs::kernels::random::mix;
    use proptest::prelude::*;

    use super::super::hashes::Builder;
    use super::*;

    fn rows(values: impl Iterator<Item = u64>) -> RowHashes {
        let mut builder = Builder::new(5000, &Arc::new(RuntimeEnv::default()));
        values.for_each(|value| builder.push(u128::from(mix(value)) << 64).unwrap());
        builder.finish().unwrap()
    }

    proptest! {
        #[test]
        fn what_is_contained_is_never_ruled_out(all in 1_u64..3000, share in 1_u64..10, seed in any::<u64>()) {
            let kept = || (0..all).filter(|i| mix(seed ^ *i) % 10 < share);
            let parent = Least::of(&rows(0..all)).unwrap();
            let child = Least::of(&rows(kept())).unwrap();
            prop_assert!(child.may_be_in(&parent));
            prop_assert!(child.are_in(&(0..all).map(mix).collect()));
            prop_assert_eq!(Least::from_bytes(&child.to_bytes()), Some(child.clone()));
            // One row in ten that is not there is seen among 256.
            let other = Least::of(&rows((0..all).map(|i| if i % 10 == 3 { i + 90_000 } else { i }))).unwrap();
            if all >= 300 {
                prop_assert!(!other.may_be_in(&parent) && !other.are_in(&(0..all).map(mix).collect()));
            }
        }
    }
}
