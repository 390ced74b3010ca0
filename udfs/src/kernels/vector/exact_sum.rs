//! Sums whose result does not depend on the order of their terms.
//!
//! Floating-point addition is not associative, so an aggregate over partitions would change with the plan. Here every term
//! is cut at two fixed places of the binary scale and rounded at a third; the pieces are whole multiples of their place and
//! add up without rounding (pre-rounded summation: Demmel and Nguyen, Fast Reproducible Floating-Point Summation, 2013,
//! with places fixed in advance).

/// The least terms that may be refused: 2^32.
pub const LIMIT: f64 = 4_294_967_296.0;

/// Places: multiples of 4, of 2^-28, of 2^-58.
const PLACES: [f64; 3] = [4.0, 1.0 / (1_u64 << 28) as f64, 1.0 / (1_u64 << 58) as f64];

/// Terms after which the lower places are carried into the higher: 2^30 times their count stays within 53 bits.
const CARRY_AFTER: u32 = 1 << 21;

/// The sums of a fixed number of columns. Each term counts to the nearest 2^-58.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExactSums {
    places: [Vec<f64>; 3],
    terms: u32,
}

/// `x` to the nearest multiple of `place`, for |x| under 2^51 times it.
#[inline(always)]
fn round_to(x: f64, place: f64) -> f64 {
    // Numbers near 1.5 * 2^52 have a spacing of one.
    let shift = 6_755_399_441_055_744.0 * place;
    (x + shift) - shift
}

impl ExactSums {
    /// Sums of `columns` columns, all zero.
    pub fn new(columns: usize) -> Self {
        Self { places: std::array::from_fn(|_| vec![0.0; columns]), terms: 0 }
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.places[0].len()
    }

    /// Adds `scale * terms[i]` to column `first + i`; each of these must be under [`LIMIT`].
    #[inline]
    pub fn add(&mut self, first: usize, terms: &[f32], scale: f64) {
        self.add_terms(first, terms.iter().map(|&term| f64::from(term) * scale));
    }

    /// Adds `terms[i]` to column `first + i`; each of these must be under 2^21 times [`LIMIT`].
    pub fn add_wide(&mut self, first: usize, terms: &[f64]) {
        self.add_terms(first, terms.iter().copied());
        self.carry();
    }

    #[inline(always)]
    fn add_terms(&mut self, first: usize, terms: impl ExactSizeIterator<Item = f64>) {
        let [high, middle, low] = &mut self.places;
        let end = first + terms.len();
        let (high, middle, low) = (&mut high[first..end], &mut middle[first..end], &mut low[first..end]);
        for (((x, high), middle), low) in terms.zip(high).zip(middle).zip(low) {
            let a = round_to(x, PLACES[0]);
            let b = round_to(x - a, PLACES[1]);
            *high += a;
            *middle += b;
            *low += round_to(x - a - b, PLACES[2]);
        }
    }

    /// Says that one more term was added to every column.
    pub fn end_term(&mut self) {
        self.terms += 1;
        if self.terms >= CARRY_AFTER {
            self.carry();
        }
    }

    /// Adds the sums of others, as given by [`parts`](Self::parts) after [`carry`](Self::carry).
    pub fn merge(&mut self, parts: &[f64]) {
        self.carry();
        let columns = self.columns();
        for (place, parts) in self.places.iter_mut().zip(parts.chunks_exact(columns.max(1))) {
            for (sum, part) in place.iter_mut().zip(parts) {
                *sum += part;
            }
        }
        self.carry();
    }

    /// Moves what exceeds a place into the next higher one.
    pub fn carry(&mut self) {
        self.terms = 0;
        let [high, middle, low] = &mut self.places;
        for ((high, middle), low) in high.iter_mut().zip(middle).zip(low) {
            let up = round_to(*low, PLACES[1]);
            (*low, *middle) = (*low - up, *middle + up);
            let up = round_to(*middle, PLACES[0]);
            (*middle, *high) = (*middle - up, *high + up);
        }
    }

    /// The three places of all columns, one place after the other.
    pub fn parts(&self) -> Vec<f64> {
        self.places.concat()
    }

    /// The sum of a column.
    pub fn sum(&self, column: usize) -> f64 {
        let [high, middle, low] = &self.places;
        high[column] + (middle[column] + low[column])
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        self.columns() * 3 * size_of::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sums(terms: &[f32]) -> ExactSums {
        let mut sums = ExactSums::new(1);
        for term in terms {
            sums.add(0, &[*term], 1.0);
            sums.end_term();
        }
        sums.carry();
        sums
    }

    proptest! {
        #[test]
        fn order_and_grouping_change_nothing(
            terms in proptest::collection::vec((-30_i32..30, -1_f32..1.0), 1..200), cut in 0_usize..200,
        ) {
            let terms: Vec<f32> = terms.iter().map(|(e, m)| m * 2_f32.powi(*e)).collect();
            let whole = sums(&terms);
            let mut reversed = terms.clone();
            reversed.reverse();
            prop_assert_eq!(whole.sum(0), sums(&reversed).sum(0));
            let cut = cut.min(terms.len());
            let mut merged = sums(&terms[cut..]);
            merged.merge(&sums(&terms[..cut]).parts());
            prop_assert_eq!(whole.sum(0), merged.sum(0));
            let plain: f64 = terms.iter().map(|&t| f64::from(t)).sum();
            let size: f64 = terms.iter().map(|&t| f64::from(t).abs()).sum();
            prop_assert!((whole.sum(0) - plain).abs() <= 1e-14 * size + 200.0 * 2_f64.powi(-59));
        }
    }

    #[test]
    fn many_large_and_small_terms_are_carried() {
        let mut sums = ExactSums::new(2);
        for _ in 0..3_000_000 {
            sums.add(0, &[4e9, 1e-9], 1.0);
            sums.end_term();
        }
        sums.carry();
        assert_eq!(sums.sum(0), 1.2e16);
        assert!((sums.sum(1) - 3e-3).abs() < 1e-10);
    }
}
