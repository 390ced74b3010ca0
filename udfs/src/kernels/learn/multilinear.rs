//! Data importance by the multilinear extension of a retrieval utility (Lyu et al., Improving retrieval-augmented large
//! language models via data importance learning, 2023).
//!
//! Every source is included with a probability of its own. The utility of a query is the sum of the utilities of the first
//! `k` retrieved results that are included, divided by `k`. Its expectation is linear in each probability.

/// Buffers for the gradient, reused between queries.
#[derive(Debug)]
pub struct Gradient {
    k: usize,
    before: Vec<f64>,
    after: Vec<f64>,
}

impl Gradient {
    /// Creates buffers for queries of which the first `k` results count.
    pub fn new(k: usize) -> Self {
        Self { k, before: vec![], after: vec![] }
    }

    /// Calls `add` with the number of each result and the derivative of the expected utility with respect to its probability.
    ///
    /// `before[j]` is the probability that exactly `j` of the preceding results are included. `after[j]` is the expected
    /// utility of the `j`-th included result behind it, 0 if there is none. An included result counts if fewer than `k`
    /// preceding ones are included, and it then displaces the `(k - j)`-th one behind it. O(results * k).
    pub fn of(&mut self, utilities: &[f64], probabilities: &[f64], mut add: impl FnMut(usize, f64)) {
        let (k, count) = (self.k, utilities.len());
        self.before.clear();
        self.before.resize((count + 1) * k, 0.0);
        self.before[0] = 1.0;
        for (at, p) in probabilities.iter().enumerate() {
            let (done, next) = self.before.split_at_mut((at + 1) * k);
            let last = &done[at * k..];
            next[0] = last[0] * (1.0 - p);
            for j in 1..k {
                next[j] = last[j] * (1.0 - p) + last[j - 1] * p;
            }
        }
        self.after.clear();
        self.after.resize(k + 1, 0.0);
        for at in (0..count).rev() {
            let before = &self.before[at * k..(at + 1) * k];
            let (utility, p) = (utilities[at], probabilities[at]);
            let gained = (0..k).map(|j| before[j] * (utility - self.after[k - j])).sum::<f64>();
            add(at, gained / k as f64);
            for j in (2..=k).rev() {
                self.after[j] = self.after[j] * (1.0 - p) + self.after[j - 1] * p;
            }
            self.after[1] = self.after[1] * (1.0 - p) + utility * p;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The expectation, computed over every subset of results.
    fn expected(utilities: &[f64], probabilities: &[f64], k: usize) -> f64 {
        let mut sum = 0.0;
        for subset in 0_u32..1 << utilities.len() {
            let there = |at: usize| subset >> at & 1 == 1;
            let weight: f64 = (0..utilities.len())
                .map(|at| if there(at) { probabilities[at] } else { 1.0 - probabilities[at] })
                .product();
            let first: f64 = (0..utilities.len()).filter(|at| there(*at)).take(k).map(|at| utilities[at]).sum();
            sum += weight * first / k as f64;
        }
        sum
    }

    proptest! {
        #[test]
        fn the_program_equals_enumeration(
            results in prop::collection::vec((0_u8..5, 0.0_f64..=1.0), 1..9), k in 1_usize..5,
        ) {
            let utilities: Vec<f64> = results.iter().map(|(u, _)| f64::from(*u) / 4.0).collect();
            let probabilities: Vec<f64> = results.iter().map(|(_, p)| *p).collect();
            let mut found = vec![0.0; utilities.len()];
            Gradient::new(k).of(&utilities, &probabilities, |at, g| found[at] = g);
            for at in 0..utilities.len() {
                let mut with = probabilities.clone();
                with[at] = 1.0;
                let mut without = probabilities.clone();
                without[at] = 0.0;
                let twin = expected(&utilities, &with, k) - expected(&utilities, &without, k);
                prop_assert!((found[at] - twin).abs() < 1e-12, "{} {}", found[at], twin);
            }
        }
    }
}
