//! Sums that do not depend on the order of their terms.
//!
//! Floating-point addition is not associative, so a plain aggregate over partitions would change with the plan. Here every
//! term is split at two fixed binary places and rounded at a third. The pieces are integer multiples of their place and add
//! up without rounding (pre-rounded summation: Demmel and Nguyen, Fast Reproducible Floating-Point Summation, 2013, with
//! places fixed in advance).

use super::arithmetic::widest;

/// Terms from 2^32 on may be refused.
pub const LIMIT: f64 = 4_294_967_296.0;

/// The places: multiples of 4, of 2^-28 and of 2^-58.
const PLACES: [f64; 3] = [4.0, 1.0 / (1_u64 << 28) as f64, 1.0 / (1_u64 << 58) as f64];

/// The smallest number all of whose 24 bits are above the last place.
const SMALLEST: f32 = 1.0 / (1_u64 << 35) as f32;

/// Number of terms after which lower places are carried into higher ones: 2^30 times this count stays within 53 bits.
const CARRY_AFTER: u32 = 1 << 21;

/// Sums of a fixed number of columns. Each term is rounded to the nearest 2^-58.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExactSums {
    places: [Vec<f64>; 3],
    terms: u32,
}

/// Rounds `x` to the nearest multiple of `place`, for |x| below 2^51 times `place`.
#[inline(always)]
fn round_to(x: f64, place: f64) -> f64 {
    // Numbers near 1.5 * 2^52 have a spacing of one.
    let shift = 6_755_399_441_055_744.0 * place;
    (x + shift) - shift
}

/// The contribution of a term to each place.
#[inline(always)]
fn cut(x: f64) -> [f64; 3] {
    let high = round_to(x, PLACES[0]);
    let middle = round_to(x - high, PLACES[1]);
    [high, middle, round_to(x - high - middle, PLACES[2])]
}

fn add_scaled(sums: &mut ExactSums, first: usize, terms: &[f32], scale: f64) {
    widest!(add_scaled_of, (sums: &mut ExactSums, first: usize, terms: &[f32], scale: f64))
}

#[inline(always)]
fn add_scaled_of(sums: &mut ExactSums, first: usize, terms: &[f32], scale: f64) {
    sums.add_terms(first, terms.iter().map(|&term| f64::from(term) * scale));
}

fn add_together(sums: &mut ExactSums, rows: [&[f32]; 4]) {
    widest!(add_together_of, (sums: &mut ExactSums, rows: [&[f32]; 4]))
}

#[inline(always)]
fn add_together_of(sums: &mut ExactSums, [a, b, c, d]: [&[f32]; 4]) {
    let columns = a.len();
    let (b, c, d) = (&b[..columns], &c[..columns], &d[..columns]);
    let [high, middle, low] = &mut sums.places;
    let (high, middle, low) = (&mut high[..columns], &mut middle[..columns], &mut low[..columns]);
    // Index explicitly: the compiler does not see through so many zips.
    for at in 0..columns {
        let x = (f64::from(a[at]) + f64::from(b[at])) + (f64::from(c[at]) + f64::from(d[at]));
        let [to_high, to_middle, to_low] = cut(x);
        high[at] += to_high;
        middle[at] += to_middle;
        low[at] += to_low;
    }
}

impl ExactSums {
    /// Creates `columns` sums of zero.
    pub fn new(columns: usize) -> Self {
        Self { places: std::array::from_fn(|_| vec![0.0; columns]), terms: 0 }
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.places[0].len()
    }

    /// Adds `scale * terms[i]` to column `first + i`; each product must be below [`LIMIT`].
    pub fn add(&mut self, first: usize, terms: &[f32], scale: f64) {
        add_scaled(self, first, terms, scale);
    }

    /// Adds `rows[0][i]` to `rows[3][i]` to column `i`. The rows come with their [`sizes`](super::arithmetic::sizes) and must
    /// be below [`LIMIT`]. No call of `end_term` is needed.
    ///
    /// If the largest absolute value is less than 2^27 times the smallest nonzero one, all values are multiples of a number
    /// 2^50 times smaller than the largest. 64 bits then hold the sum of four without rounding, and only that sum is split.
    /// No value may have digits below the last place, where each value is rounded individually.
    pub fn add_four(&mut self, rows: [(&[f32], (f32, f32)); 4]) {
        let least = rows.iter().fold(f32::INFINITY, |least, (_, sizes)| least.min(sizes.0));
        let most = rows.iter().fold(0.0_f32, |most, (_, sizes)| most.max(sizes.1));
        let rows = rows.map(|(row, _)| row);
        if least >= SMALLEST && f64::from(most) < f64::from(least) * (1_u64 << 27) as f64 {
            add_together(self, rows);
            self.end_term();
        } else {
            for row in rows {
                self.add(0, row, 1.0);
                self.end_term();
            }
        }
    }

    /// Adds `terms[i]` to column `first + i`; each term must be below 2^21 times [`LIMIT`].
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
            let [a, b, c] = cut(x);
            *high += a;
            *middle += b;
            *low += c;
        }
    }

    /// Records that one more term was added to every column.
    pub fn end_term(&mut self) {
        self.terms += 1;
        if self.terms >= CARRY_AFTER {
            self.carry();
        }
    }

    /// Adds other sums, as given by [`parts`](Self::parts) after [`carry`](Self::carry).
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

    /// Carries what exceeds a place into the next higher one.
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

    /// The three places of all columns, one place after another.
    pub fn parts(&self) -> Vec<f64> {
        self.places.concat()
    }

    /// The sum of a column.
    pub fn sum(&self, column: usize) -> f64 {
        let [high, middle, low] = &self.places;
        high[column] + (middle[column] + low[column])
    }

    /// Bytes in memory.
    pub fn size(&self) -> usize {
        self.columns() * 3 * size_of::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::vector::arithmetic::sizes;

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

    proptest! {
        #[test]
        fn four_at_once_are_four_one_by_one(
            rows in proptest::collection::vec(proptest::array::uniform4((-40_i32..30, -1_f32..1.0, 0..9)), 1..60), spread in 1_i32..40,
        ) {
            let value = |(e, m, zero): &(i32, f32, i32)| if *zero == 0 { 0.0 } else { m * 2_f32.powi((e / spread).max(-40)) };
            let rows: Vec<Vec<f32>> = rows.iter().map(|row| row.iter().map(value).collect()).collect();
            let (mut one, mut four) = (ExactSums::new(4), ExactSums::new(4));
            for row in &rows {
                one.add(0, row, 1.0);
                one.end_term();
            }
            let (together, alone) = rows.as_chunks::<4>();
            together.iter().for_each(|group| four.add_four(std::array::from_fn(|at| (&*group[at], sizes(&group[at])))));
            for row in alone {
                four.add(0, row, 1.0);
                four.end_term();
            }
            one.carry();
            four.carry();
            for column in 0..4 {
                prop_assert_eq!(one.sum(column), four.sum(column));
            }
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
