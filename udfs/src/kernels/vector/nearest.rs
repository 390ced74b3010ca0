//! The k nearest rows of a block: 32-bit products propose, 64-bit sums decide.

use super::search::{Best, Metric, Rows, Scores, at_least};

/// The nearest rows found so far, nearest first (ties: the smaller number first).
#[derive(Debug, Clone)]
pub struct Nearest {
    k: usize,
    least: f64,
    found: Vec<Best>,
}

impl Nearest {
    /// Starts empty. Keeps at most `k` rows with scores of at least `least`.
    pub fn new(k: usize, least: f64) -> Self {
        Self { k, least, found: Vec::with_capacity(k.min(64)) }
    }

    /// The rows found, nearest first.
    pub fn found(&self) -> &[Best] {
        &self.found
    }

    /// The minimum score that a new row must reach.
    pub fn floor(&self) -> f64 {
        match self.found.last() {
            Some(last) if self.found.len() == self.k => last.score,
            _ => self.least,
        }
    }

    /// Adds a row if it is among the nearest. O(k).
    pub fn offer(&mut self, score: f64, number: u32) {
        if self.k == 0 || score < self.floor() || score.is_nan() {
            return;
        }
        let before = |best: &Best| best.score > score || (best.score == score && best.number < number);
        let at = self.found.partition_point(before);
        if at == self.k {
            return;
        }
        if self.found.len() == self.k {
            self.found.pop();
        }
        self.found.insert(at, Best { score, number });
    }
}

/// Candidates of a row; the buffer is reused.
pub type Candidates = Vec<(f32, u32)>;

/// Offers right rows to `nearest`, for left row `at`. [`Scores::fill`] must have been called with both. `number` maps a right
/// row to its number, or `None` to skip it. Exact scores are computed only for rows that the error bound of the products
/// leaves undecided.
pub fn improve_nearest(
    metric: Metric,
    (left, right): (Rows<'_>, Rows<'_>),
    scores: &Scores,
    at: usize,
    number: impl Fn(usize) -> Option<u32>,
    candidates: &mut Candidates,
    nearest: &mut Nearest,
) {
    let (row, margin) = scores.row(at);
    // Use the next smaller value, so that the comparison is safe in 32 bits.
    let floor = ((nearest.floor() - margin) as f32).next_down();
    candidates.clear();
    at_least(row, floor, |there| {
        if number(there).is_some() {
            candidates.push((row[there], there as u32));
        }
    });
    if candidates.len() > nearest.k {
        // The k-th exact score is at least the k-th approximate one minus its error.
        let (_, kth, _) = candidates.select_nth_unstable_by(nearest.k.max(1) - 1, |a, b| b.0.total_cmp(&a.0));
        let cut = ((f64::from(kth.0) - 2.0 * margin) as f32).next_down();
        candidates.retain(|(score, _)| *score >= cut);
    }
    for &(_, there) in &*candidates {
        if let Some(number) = number(there as usize) {
            nearest.offer(left.score(metric, at, &right, there as usize), number);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::random::{SplitMix64, unit_interval};
    use crate::kernels::vector::arithmetic::squared_norm;

    proptest! {
        #[test]
        fn the_nearest_are_those_of_a_sort(
            seed in 0_u64..1000, k in 0_usize..12, tile in 1_usize..70, l2 in any::<bool>(), least in -6.0_f64..1.0,
        ) {
            let metric = if l2 { Metric::L2 } else { Metric::Cosine };
            let mut random = SplitMix64::new(seed);
            // Coarse values, so that ties are common.
            let values: Vec<f32> = (0..60 * 6).map(|_| (unit_interval(random.next_u64()) * 4.0) as i32 as f32 - 1.5).collect();
            let squared: Vec<f64> = values.chunks(6).map(squared_norm).collect();
            let rows = Rows { values: &values, squared: &squared, dimensions: 6 };
            let mut found: Vec<Nearest> = (0..60).map(|_| Nearest::new(k, least)).collect();
            let (mut scores, mut candidates) = (Scores::default(), vec![]);
            for first in (0..60).step_by(tile) {
                let end = (first + tile).min(60);
                let part = Rows { values: &values[first * 6..end * 6], squared: &squared[first..end], dimensions: 6 };
                scores.fill(metric, rows, part);
                for (at, nearest) in found.iter_mut().enumerate() {
                    let number = |there: usize| (first + there != at).then_some((first + there) as u32);
                    improve_nearest(metric, (rows, part), &scores, at, number, &mut candidates, nearest);
                }
            }
            for (at, nearest) in found.iter().enumerate() {
                let mut exact: Vec<Best> = (0..60)
                    .filter(|there| *there != at)
                    .map(|there| Best { score: rows.score(metric, at, &rows, there), number: there as u32 })
                    .filter(|best| best.score >= least)
                    .collect();
                exact.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.number.cmp(&b.number)));
                exact.truncate(k);
                prop_assert_eq!(nearest.found(), &exact[..]);
            }
        }
    }
}
