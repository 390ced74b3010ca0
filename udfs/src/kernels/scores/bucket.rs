//! Equal-width buckets, and the entropy of a histogram.

/// Which end of its range a bucket includes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Closed {
    /// `[low, high)`; the last bucket also includes its upper end.
    Left,
    /// `(low, high]`; the first bucket also includes its lower end.
    Right,
}

/// The bucket of `value`, from 1 to `count`, among `count` buckets of equal width from `low` to `high`; 0 below `low` and
/// `count + 1` above `high`. Edge `i` is exactly `low + (high - low) * i / count`.
pub fn bucket(value: f64, low: f64, high: f64, count: u64, closed: Closed) -> u64 {
    if value < low {
        return 0;
    }
    if value > high {
        return count + 1;
    }
    let edge = |index: u64| if index == count { high } else { low + (high - low) * (index as f64 / count as f64) };
    let share = (value - low) / (high - low);
    // If the range is a single point, or the quotient is rounded, compare with the edges.
    let mut bucket = if share.is_finite() { ((share * count as f64) as u64).min(count - 1) } else { 0 };
    let above = |edge: f64| match closed {
        Closed::Left => value >= edge,
        Closed::Right => value > edge,
    };
    while bucket > 0 && !above(edge(bucket)) {
        bucket -= 1;
    }
    while bucket + 1 < count && above(edge(bucket + 1)) && high > low {
        bucket += 1;
    }
    bucket + 1
}

/// Shannon entropy in bits of a histogram; 0 where it is empty.
pub fn histogram_entropy(counts: &[u64]) -> f64 {
    let total: u64 = counts.iter().sum();
    let shares = counts.iter().filter(|count| **count > 0).map(|count| *count as f64 / total as f64);
    -shares.map(|share| share * libm::log2(share)).sum::<f64>() + 0.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edges_belong_where_they_are_stated_to() {
        let of = |value, closed| bucket(value, 0.0, 1.0, 4, closed);
        assert_eq!([0.0, 0.25, 0.5, 1.0].map(|v| of(v, Closed::Left)), [1, 2, 3, 4]);
        assert_eq!([0.0, 0.25, 0.5, 1.0].map(|v| of(v, Closed::Right)), [1, 1, 2, 4]);
        assert_eq!([-0.1, 1.1].map(|v| of(v, Closed::Left)), [0, 5]);
        assert_eq!(bucket(3.0, 3.0, 3.0, 50, Closed::Left), 1);
        assert_eq!(bucket(3.0, 3.0, 3.0, 50, Closed::Right), 1);
    }

    proptest! {
        #[test]
        fn a_value_lies_between_its_edges(
            low in -10.0_f64..10.0, width in 1e-3_f64..20.0, share in 0.0_f64..=1.0, count in 1_u64..60, left: bool,
        ) {
            let high = low + width;
            let value = (low + width * share).min(high);
            let closed = if left { Closed::Left } else { Closed::Right };
            let found = bucket(value, low, high, count, closed);
            prop_assert!((1..=count).contains(&found));
            let edge = |i: u64| if i == count { high } else { low + (high - low) * (i as f64 / count as f64) };
            prop_assert!(edge(found - 1) <= value && value <= edge(found));
            match closed {
                Closed::Left => prop_assert!(value < edge(found) || found == count),
                Closed::Right => prop_assert!(value > edge(found - 1) || found == 1),
            }
        }
    }

    #[test]
    fn entropy_of_equal_bars_is_the_logarithm_of_their_number() {
        assert_eq!(histogram_entropy(&[3, 3, 3, 3, 0]), 2.0);
        assert_eq!(histogram_entropy(&[7]).to_bits(), 0.0_f64.to_bits());
        assert_eq!(histogram_entropy(&[]), 0.0);
    }
}
