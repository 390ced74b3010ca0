//! Row hashes that serve every projection, and additive fingerprints of tables.
//!
//! The hash of a cell does not depend on its column. The hash of a row over columns S is `finish(sum of cell * key(column))`,
//! so the hash of any projection costs one addition per column. The finisher is applied before rows are summed; without it, a
//! table whose columns were shuffled independently would have the fingerprint of the original. Sums of row hashes modulo
//! 2^128 are multiset hashes (Clarke et al., Incremental multiset hash functions, 2003: MSet-Add-Hash), so appending rows
//! adds hashes.
//!
//! For n different rows the probability of any collision is about n^2 / 2^129: 1.5e-21 for a billion. The hashes are not
//! keyed: whoever can write tables can forge collisions. Therefore nothing is deleted without comparing bytes.

use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

/// Seed of the keys of columns.
const COLUMNS: u64 = 0x6c61_6b65_0000_0001;

/// Hash of a value's canonical bytes.
#[inline]
pub fn cell(canonical: &[u8]) -> u128 {
    xxh3_128(canonical)
}

/// The odd factor of a column of this name.
pub fn column_key(name: &str) -> u128 {
    xxh3_128_with_seed(name.as_bytes(), COLUMNS) | 1
}

/// Scrambles the sum of a row.
#[inline]
pub fn finish(sum: u128) -> u128 {
    let mut x = sum ^ (sum >> 64);
    x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    x ^= x >> 67;
    x = x.wrapping_mul(0xc2b2_ae3d_27d4_eb4f_1656_67b1_9e37_79f9);
    x ^ (x >> 64)
}

/// Number of rows and the sum of their hashes: equal for equal multisets of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Fingerprint {
    /// Rows.
    pub rows: u64,
    /// Their hashes, summed modulo 2^128.
    pub sum: u128,
}

impl Fingerprint {
    /// Adds a row.
    #[inline]
    pub fn add(&mut self, row: u128) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(row);
    }

    /// The fingerprint of both tables together.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, sum: self.sum.wrapping_add(other.sum) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Cells of a table of two columns, column by column.
    fn rows(columns: &[Vec<u8>; 2]) -> Vec<u128> {
        let keys = [column_key("a"), column_key("b")];
        let hash = |column: usize, row: usize| cell(&[columns[column][row]]).wrapping_mul(keys[column]);
        (0..columns[0].len()).map(|row| finish(hash(0, row).wrapping_add(hash(1, row)))).collect()
    }

    fn fingerprint(rows: &[u128]) -> Fingerprint {
        let mut of = Fingerprint::default();
        rows.iter().for_each(|&row| of.add(row));
        of
    }

    #[test]
    fn a_table_with_shuffled_columns_is_another() {
        let plain = [vec![1, 2, 3, 4], vec![5, 6, 7, 8]];
        let shuffled = [vec![1, 2, 3, 4], vec![6, 5, 8, 7]];
        assert_ne!(fingerprint(&rows(&plain)), fingerprint(&rows(&shuffled)));
        let swapped = [vec![5, 6, 7, 8], vec![1, 2, 3, 4]];
        assert_ne!(fingerprint(&rows(&plain)), fingerprint(&rows(&swapped)));
    }

    #[test]
    fn hashes_are_the_same_everywhere() {
        // Stored in files: these values must never change within a version.
        assert_eq!(column_key("id"), column_key("id"));
        assert_eq!(cell(b""), 0x99aa_06d3_0147_98d8_6001_c324_468d_497f);
        assert_ne!(finish(1), finish(2));
    }

    proptest! {
        #[test]
        fn order_does_not_count_and_parts_add_up(rows in prop::collection::vec(any::<u128>(), 0..50), cut in 0_usize..50) {
            let mut reversed = rows.clone();
            reversed.reverse();
            prop_assert_eq!(fingerprint(&rows), fingerprint(&reversed));
            let (left, right) = rows.split_at(cut.min(rows.len()));
            prop_assert_eq!(fingerprint(&rows), fingerprint(left).merged(fingerprint(right)));
        }

        #[test]
        fn every_step_of_the_finisher_can_be_undone(a in any::<u128>(), b in any::<u128>()) {
            prop_assert_eq!(a == b, finish(a) == finish(b));
        }
    }
}
