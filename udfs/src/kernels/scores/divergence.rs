//! Entropy and divergences of distributions, in nats.

/// Shannon entropy.
pub fn entropy(p: &[f64]) -> f64 {
    -p.iter().map(|&p| if p > 0.0 { p * libm::log(p) } else { 0.0 }).sum::<f64>() + 0.0
}

/// Kullback-Leibler divergence of `q` from `p` (the same length); infinity where `q` excludes what `p` allows.
pub fn kullback_leibler(p: &[f64], q: &[f64]) -> f64 {
    let terms = p.iter().zip(q).map(|(&p, &q)| match (p > 0.0, q > 0.0) {
        (false, _) => 0.0,
        (true, false) => f64::INFINITY,
        (true, true) => p * libm::log(p / q),
    });
    // Below zero only by rounding.
    terms.sum::<f64>().max(0.0)
}

/// Jensen-Shannon divergence: the mean divergence from the mixture; between 0 and ln 2.
pub fn jensen_shannon(p: &[f64], q: &[f64]) -> f64 {
    let half = |a: f64, b: f64| if a > 0.0 { 0.5 * a * libm::log(2.0 * a / (a + b)) } else { 0.0 };
    let sum: f64 = p.iter().zip(q).map(|(&p, &q)| half(p, q) + half(q, p)).sum();
    sum.clamp(0.0, std::f64::consts::LN_2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn distribution() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(0.0_f64..1.0, 5).prop_map(|mut values| {
            values[0] += 1e-9;
            let sum: f64 = values.iter().sum();
            values.iter_mut().for_each(|value| *value /= sum);
            values
        })
    }

    proptest! {
        #[test]
        fn the_algebra_holds(p in distribution(), q in distribution()) {
            let mixture: Vec<f64> = p.iter().zip(&q).map(|(p, q)| 0.5 * (p + q)).collect();
            let twin = 0.5 * kullback_leibler(&p, &mixture) + 0.5 * kullback_leibler(&q, &mixture);
            prop_assert!((jensen_shannon(&p, &q) - twin).abs() < 1e-12);
            prop_assert!((jensen_shannon(&p, &q) - jensen_shannon(&q, &p)).abs() < 1e-12);
            prop_assert!(kullback_leibler(&p, &p).abs() < 1e-12);
            prop_assert!(entropy(&p) <= 5.0_f64.ln() + 1e-12 && entropy(&p) >= 0.0);
            let uniform = [0.2; 5];
            prop_assert!((kullback_leibler(&p, &uniform) - (5.0_f64.ln() - entropy(&p))).abs() < 1e-12);
        }
    }

    #[test]
    fn what_q_excludes_is_infinitely_far() {
        assert_eq!(kullback_leibler(&[0.5, 0.5], &[1.0, 0.0]), f64::INFINITY);
        assert_eq!(jensen_shannon(&[1.0, 0.0], &[0.0, 1.0]), std::f64::consts::LN_2);
        assert_eq!(entropy(&[1.0, 0.0]).to_bits(), 0.0_f64.to_bits());
    }
}
