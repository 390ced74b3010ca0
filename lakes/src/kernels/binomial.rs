//! Exact confidence intervals of a proportion, from a sample.

/// Clopper-Pearson interval of a proportion, for `hits` successes in `draws` independent draws (Clopper and Pearson, The use
/// of confidence or fiducial limits, 1934). It contains the true value with probability `confidence` or more.
pub fn interval(hits: u64, draws: u64, confidence: f64) -> (f64, f64) {
    if draws == 0 {
        return (0.0, 1.0);
    }
    let (hits, draws) = (hits.min(draws) as f64, draws as f64);
    let tail = (1.0 - confidence) / 2.0;
    // The lower limit is where `hits` or more of `draws` are just possible, the upper where `hits` or fewer are.
    let lower = if hits == 0.0 { 0.0 } else { root(|p| beta(p, hits, draws - hits + 1.0) - tail) };
    let upper = if hits == draws { 1.0 } else { root(|p| beta(p, hits + 1.0, draws - hits) - (1.0 - tail)) };
    (lower, upper)
}

/// Returns where the increasing function `f` crosses zero in (0, 1).
fn root(f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if f(middle) < 0.0 { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The regularised incomplete beta function, by its continued fraction (modified Lentz; Numerical Recipes 6.4 has the
/// fraction, DLMF 8.17.22 its source).
fn beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return f64::from(u8::from(x >= 1.0));
    }
    // The fraction converges fast below the mean; above it the mirrored one does.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta(1.0 - x, b, a);
    }
    let front = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * x.ln() + b * libm::log1p(-x);
    let least = 1e-300;
    let bounded = |value: f64| if value.abs() < least { least } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / bounded(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / bounded(1.0 + term * d);
            c = bounded(1.0 + term / c);
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    (front.exp() * fraction / a).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use limpid_udfs::kernels::random::{SplitMix64, unit_interval};

    #[test]
    fn the_limits_of_tables() {
        // Values of R's binom.test at 95 %.
        for (hits, draws, low, high) in [
            (0, 10, 0.0, 0.308_497),
            (10, 10, 0.691_503, 1.0),
            (7, 10, 0.347_547, 0.933_260),
            (50, 100, 0.398_321, 0.601_679),
        ] {
            let (lower, upper) = interval(hits, draws, 0.95);
            assert!((lower - low).abs() < 1e-5 && (upper - high).abs() < 1e-5, "{hits}/{draws}: {lower} {upper}");
        }
        assert_eq!(interval(0, 0, 0.95), (0.0, 1.0));
        // All hits: the lower limit is (tail)^(1 / n).
        let (lower, _) = interval(300, 300, 0.95);
        assert!((lower - 0.025_f64.powf(1.0 / 300.0)).abs() < 1e-12);
    }

    #[test]
    fn intervals_cover_the_truth() {
        let mut random = SplitMix64::new(9);
        for share in [0.02, 0.3, 0.5, 0.9, 0.99] {
            let rounds = 2000;
            let covered = (0..rounds).filter(|_| {
                let hits = (0..60).filter(|_| unit_interval(random.next_u64()) < share).count();
                let (lower, upper) = interval(hits as u64, 60, 0.95);
                lower <= share && share <= upper
            });
            assert!(covered.count() as f64 / f64::from(rounds) >= 0.945, "{share}");
        }
    }
}
