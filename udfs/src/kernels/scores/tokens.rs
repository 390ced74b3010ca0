//! Scores over the tokens of a text.

use std::ops::Range;

/// Exponential of the mean; `None` if there are no tokens.
pub fn perplexity(losses: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = losses.fold((0.0, 0_u64), |(sum, count), loss| (sum + loss, count + 1));
    (count > 0).then(|| libm::exp(sum / count as f64))
}

/// Computes `(1 - lambda) x[i] + lambda (x[i-1] + x[i+1])`; a missing neighbour counts as 0.
pub fn neighbor_scores(values: &[f64], lambda: f64) -> Vec<f64> {
    let at = |index: Option<usize>| index.and_then(|index| values.get(index)).copied().unwrap_or_default();
    let score = |i: usize| (1.0 - lambda) * values[i] + lambda * (at(i.checked_sub(1)) + at(Some(i + 1)));
    (0..values.len()).map(score).collect()
}

/// Marks the `count` highest (or lowest) values; on ties, the earlier ones.
pub fn top_mask(values: &[f64], count: usize, highest: bool) -> Vec<bool> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    // The sort is stable, so positions break ties.
    order.sort_by(|&a, &b| if highest { values[b].total_cmp(&values[a]) } else { values[a].total_cmp(&values[b]) });
    let mut mask = vec![false; values.len()];
    order.into_iter().take(count).for_each(|at| mask[at] = true);
    mask
}

/// Maximal runs of `true`.
pub fn runs(mask: impl Iterator<Item = bool>) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = vec![];
    for (at, _) in mask.enumerate().filter(|(_, marked)| *marked) {
        match found.last_mut() {
            Some(run) if run.end == at => run.end += 1,
            _ => found.push(at..at + 1),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn perplexity_of_uniform_losses_is_their_base() {
        let ln_7 = 7.0_f64.ln();
        assert!((perplexity([ln_7; 5].into_iter()).unwrap() - 7.0).abs() < 1e-12);
        assert_eq!(perplexity(std::iter::empty()), None);
    }

    #[test]
    fn neighbours_outside_count_as_nothing() {
        assert_eq!(neighbor_scores(&[1.0, 2.0, 4.0], 0.5), [1.5, 3.5, 3.0]);
        assert_eq!(neighbor_scores(&[3.0], 0.25), [2.25]);
        assert!(neighbor_scores(&[], 0.5).is_empty());
    }

    proptest! {
        #[test]
        fn masks_and_runs_agree_with_their_definitions(
            values in prop::collection::vec((0_i32..6).prop_map(f64::from), 0..20), share in 0.0_f64..=1.0, highest: bool,
        ) {
            let count = (share * values.len() as f64).round() as usize;
            let mask = top_mask(&values, count, highest);
            prop_assert_eq!(mask.iter().filter(|m| **m).count(), count);
            for i in 0..values.len() {
                for j in 0..values.len() {
                    let before = if highest { values[i] > values[j] } else { values[i] < values[j] };
                    prop_assert!(!(before || values[i] == values[j] && i < j) || mask[i] || !mask[j]);
                }
            }
            let spans = runs(mask.iter().copied());
            let mut again = vec![false; mask.len()];
            for span in &spans {
                again[span.clone()].iter_mut().for_each(|m| *m = true);
            }
            prop_assert_eq!(again, mask);
            prop_assert!(spans.windows(2).all(|pair| pair[0].end < pair[1].start));
        }
    }
}
