//! Double-double arithmetic: sums with twice the digits of a 64-bit float.
//!
//! Rows reach an aggregate in an order that depends on partitions and threads. In plain sums this changes the last digits.
//! Here the order changes at most the last of 106 bits, which rounding to 53 bits hides (Dekker, A floating-point technique
//! for extending the available precision, 1971; Knuth, The art of computer programming 2, 4.2.2).

/// A sum: `high` is the nearest 64-bit float, `low` the remainder.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Wide {
    /// The nearest float.
    pub high: f64,
    /// The remainder.
    pub low: f64,
}

/// The sum of two numbers and its exact rounding error.
#[inline(always)]
fn two_sum(a: f64, b: f64) -> Wide {
    let high = a + b;
    let from_b = high - a;
    Wide { high, low: (a - (high - from_b)) + (b - from_b) }
}

/// The product of two numbers and its rounding error, exact if the product is between 2^-960 and 2^990.
#[inline(always)]
fn two_product(a: f64, b: f64) -> Wide {
    let high = a * b;
    let ((a1, a2), (b1, b2)) = (halves(a), halves(b));
    Wide { high, low: ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2 }
}

/// Splits a number into two of 26 bits.
#[inline(always)]
fn halves(x: f64) -> (f64, f64) {
    let shifted = 134_217_729.0 * x;
    let high = shifted - (shifted - x);
    (high, x - high)
}

impl Wide {
    /// Adds a number.
    #[inline]
    pub fn add(&mut self, x: f64) {
        self.merge(Self { high: x, low: 0.0 });
    }

    /// Adds the square of a number.
    #[inline]
    pub fn add_square(&mut self, x: f64) {
        self.merge(two_product(x, x));
    }

    /// Adds another sum.
    #[inline]
    pub fn merge(&mut self, other: Self) {
        let sum = two_sum(self.high, other.high);
        let low = two_sum(self.low, other.low);
        let sum = two_sum(sum.high, sum.low + low.high);
        *self = two_sum(sum.high, sum.low + low.low);
    }

    /// Its product with a number.
    pub fn times(self, factor: f64) -> Self {
        let product = two_product(self.high, factor);
        two_sum(product.high, product.low + self.low * factor)
    }

    /// Its square.
    pub fn squared(self) -> Self {
        let square = two_product(self.high, self.high);
        two_sum(square.high, square.low + 2.0 * self.high * self.low)
    }

    /// The nearest float.
    pub fn value(self) -> f64 {
        self.high + self.low
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sums(terms: &[f64]) -> (Wide, Wide) {
        let (mut sum, mut squares) = (Wide::default(), Wide::default());
        for term in terms {
            sum.add(*term);
            squares.add_square(*term);
        }
        (sum, squares)
    }

    proptest! {
        #[test]
        fn order_and_grouping_change_nothing(
            terms in proptest::collection::vec((-20_i32..20, -1_f64..1.0), 1..300), cut in 0_usize..300,
        ) {
            let terms: Vec<f64> = terms.iter().map(|(e, m)| m * 2_f64.powi(*e)).collect();
            let (sum, squares) = sums(&terms);
            let mut other = terms.clone();
            other.sort_by(f64::total_cmp);
            let (left, right) = other.split_at(cut.min(terms.len()));
            let (mut merged, mut merged_squares) = sums(right);
            merged.merge(sums(left).0);
            merged_squares.merge(sums(left).1);
            prop_assert_eq!(merged.value(), sum.value());
            prop_assert_eq!(merged_squares.value(), squares.value());
        }
    }

    #[test]
    fn what_floats_lose_is_kept() {
        let (sum, squares) = sums(&[1e16, 1.0, -1e16, 2_f64.powi(-40)]);
        assert_eq!(sum.value(), 1.0 + 2_f64.powi(-40));
        assert_eq!(squares.high, 2e32);
        let exact = 1_000_000_007_u128 * 1_000_000_007 * 3;
        let square = Wide { high: 1_000_000_007.0, low: 0.0 }.squared();
        assert_eq!(square.times(3.0).high as u128 as f64, exact as f64);
        assert_eq!(square.times(3.0).high as u128 + square.times(3.0).low as u128, exact);
    }
}
