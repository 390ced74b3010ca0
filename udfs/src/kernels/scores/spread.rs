//! Mean and spread of vectors, value by value, in one pass.

/// Welford's running moments of vectors of one length; two of them merge (Chan, Golub and LeVeque, 1979).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spread {
    /// Vectors seen.
    pub count: u64,
    /// Their mean.
    pub mean: Vec<f64>,
    /// Sums of squared distances from the mean.
    pub squares: Vec<f64>,
}

impl Spread {
    /// Adds a vector; `false` where its length differs from that of the others.
    #[must_use]
    pub fn add(&mut self, vector: &[f64]) -> bool {
        if self.count == 0 {
            (self.mean, self.squares) = (vec![0.0; vector.len()], vec![0.0; vector.len()]);
        }
        if vector.len() != self.mean.len() {
            return false;
        }
        self.count += 1;
        let weight = 1.0 / self.count as f64;
        for ((mean, squares), value) in self.mean.iter_mut().zip(&mut self.squares).zip(vector) {
            let delta = value - *mean;
            *mean += delta * weight;
            *squares += delta * (value - *mean);
        }
        true
    }

    /// Adds the vectors another has seen; `false` where their length differs.
    #[must_use]
    pub fn merge(&mut self, other: &Self) -> bool {
        if other.count == 0 {
            return true;
        }
        if self.count == 0 {
            self.clone_from(other);
            return true;
        }
        if self.mean.len() != other.mean.len() {
            return false;
        }
        let (a, b) = (self.count as f64, other.count as f64);
        self.count += other.count;
        for at in 0..self.mean.len() {
            let delta = other.mean[at] - self.mean[at];
            self.mean[at] += delta * b / (a + b);
            self.squares[at] += other.squares[at] + delta * delta * a * b / (a + b);
        }
        true
    }

    /// Variance of each value over the vectors, divided by their number.
    pub fn variances(&self) -> impl Iterator<Item = f64> + '_ {
        self.squares.iter().map(|squares| squares / self.count.max(1) as f64)
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
