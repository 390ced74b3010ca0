//! Rows that may be among the k nearest of a row, judged by approximate scores.

use super::search::at_least;

/// Rows that may be among the nearest, whatever their exact scores turn out to be.
#[derive(Debug, Clone)]
pub struct Proposals {
    k: usize,
    least: f64,
    /// The largest margin of a score so far.
    margin: f64,
    /// The k-th largest score when it was last computed.
    kth: f64,
    /// Number of rows up to which the k-th score is not computed again.
    room: usize,
    found: Vec<(f32, u32)>,
}

impl Proposals {
    /// Starts empty. Keeps candidates for `k` rows with exact scores of at least `least`.
    pub fn new(k: usize, least: f64) -> Self {
        Self { k, least, margin: 0.0, kth: f64::NEG_INFINITY, room: 2 * k + 32, found: vec![] }
    }

    /// Adds those of `scores` that may matter; each is within `margin` of the exact score. `number` maps a position to its
    /// row, or `None` to skip it.
    pub fn take(&mut self, scores: &[f32], margin: f64, number: impl Fn(usize) -> Option<u32>) {
        // The exact k-th score is at least the approximate one minus its margin.
        let floor = self.least.max(self.kth - self.margin) - margin;
        self.margin = self.margin.max(margin);
        // Use the next smaller value, so that the comparison is safe in 32 bits.
        at_least(scores, (floor as f32).next_down(), |there| {
            if let Some(number) = number(there) {
                self.found.push((scores[there], number));
            }
        });
        if self.found.len() > self.room {
            self.prune();
        }
    }

    fn prune(&mut self) {
        if self.k == 0 || self.found.len() <= self.k {
            return;
        }
        let (_, kth, _) = self.found.select_nth_unstable_by(self.k - 1, |a, b| b.0.total_cmp(&a.0));
        self.kth = kth.0.into();
        let floor = ((self.kth - 2.0 * self.margin) as f32).next_down();
        self.found.retain(|(score, _)| *score >= floor);
        self.room = 2 * self.found.len() + 32;
    }

    /// The proposed rows, largest score first, each with an upper bound on its exact score.
    pub fn finish(mut self) -> impl Iterator<Item = (f64, u32)> {
        self.prune();
        self.found.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let margin = self.margin;
        self.found.into_iter().map(move |(score, number)| (f64::from(score) + margin, number))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::random::{SplitMix64, unit_interval};

    proptest! {
        #[test]
        fn the_nearest_are_always_proposed(
            seed in any::<u64>(), rows in 0_usize..400, k in 1_usize..20, tile in 1_usize..90, least in -1.0..1.0_f64,
        ) {
            let mut random = SplitMix64::new(seed);
            let mut number = || unit_interval(random.next_u64()) * 2.0 - 1.0;
            let exact: Vec<f64> = (0..rows).map(|_| number()).collect();
            let mut proposals = Proposals::new(k, least);
            for (part, exact) in exact.chunks(tile).enumerate() {
                let margin = [0.01, 0.2, 0.05][part % 3];
                let scores: Vec<f32> = exact.iter().map(|score| (score + margin * 0.99 * number()) as f32).collect();
                proposals.take(&scores, margin, |at| Some((part * tile + at) as u32));
            }
            let mut order: Vec<u32> = (0..rows as u32).filter(|at| exact[*at as usize] >= least).collect();
            order.sort_by(|a, b| exact[*b as usize].total_cmp(&exact[*a as usize]));
            let found: Vec<(f64, u32)> = proposals.finish().collect();
            prop_assert!(found.is_sorted_by(|a, b| a.0 >= b.0));
            for wanted in order.iter().take(k) {
                let (most, _) = found.iter().find(|(_, number)| number == wanted).unwrap();
                prop_assert!(*most >= exact[*wanted as usize]);
            }
        }
    }
}
