//! Spread of vectors, coordinate by coordinate, in one pass.

use crate::kernels::wide::Wide;

/// Sums and sums of squares of vectors of equal length, with enough digits for their difference. Two of them can be merged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spread {
    /// Number of vectors.
    pub count: u64,
    /// Their sum.
    pub sums: Vec<Wide>,
    /// The sums of squares.
    pub squares: Vec<Wide>,
}

impl Spread {
    /// Adds a vector; `false` if its length differs from that of the others.
    #[must_use]
    pub fn add(&mut self, vector: &[f64]) -> bool {
        if self.count == 0 {
            (self.sums, self.squares) = (vec![Wide::default(); vector.len()], vec![Wide::default(); vector.len()]);
        }
        if vector.len() != self.sums.len() {
            return false;
        }
        self.count += 1;
        for ((sum, squares), value) in self.sums.iter_mut().zip(&mut self.squares).zip(vector) {
            sum.add(*value);
            squares.add_square(*value);
        }
        true
    }

    /// Adds the vectors of another spread; `false` if their length differs.
    #[must_use]
    pub fn merge(&mut self, other: &Self) -> bool {
        if other.count == 0 {
            return true;
        }
        if self.count == 0 {
            self.clone_from(other);
            return true;
        }
        if self.sums.len() != other.sums.len() {
            return false;
        }
        self.count += other.count;
        self.sums.iter_mut().zip(&other.sums).for_each(|(own, other)| own.merge(*other));
        self.squares.iter_mut().zip(&other.squares).for_each(|(own, other)| own.merge(*other));
        true
    }

    /// Population variance of each coordinate: (n * sum of squares - square of the sum) / n^2.
    pub fn variances(&self) -> impl Iterator<Item = f64> + '_ {
        let count = self.count.max(1) as f64;
        self.sums.iter().zip(&self.squares).map(move |(sum, squares)| {
            let mut scaled = squares.times(count);
            scaled.merge(sum.squared().times(-1.0));
            scaled.value().max(0.0) / (count * count)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_split_gives_the_two_pass_variance(
            rows in prop::collection::vec(prop::collection::vec(-1e3_f64..1e3, 3), 1..30), cut in 0_usize..30,
        ) {
            let (left, right) = rows.split_at(cut.min(rows.len()));
            let of = |rows: &[Vec<f64>]| {
                let mut spread = Spread::default();
                rows.iter().for_each(|row| assert!(spread.add(row)));
                spread
            };
            let mut merged = of(left);
            prop_assert!(merged.merge(&of(right)));
            prop_assert_eq!(merged.count, rows.len() as u64);
            for (at, found) in merged.variances().enumerate() {
                let mean = rows.iter().map(|row| row[at]).sum::<f64>() / rows.len() as f64;
                let twin = rows.iter().map(|row| (row[at] - mean).powi(2)).sum::<f64>() / rows.len() as f64;
                prop_assert!((found - twin).abs() <= 1e-9 * (1.0 + twin), "{} {}", found, twin);
            }
        }
    }

    #[test]
    fn lengths_must_agree() {
        let mut spread = Spread::default();
        assert!(spread.add(&[1.0]) && !spread.add(&[1.0, 2.0]));
        let mut other = Spread::default();
        assert!(other.add(&[1.0, 2.0]) && !spread.merge(&other) && spread.merge(&Spread::default()));
    }
}
