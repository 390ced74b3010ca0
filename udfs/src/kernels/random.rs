//! Deterministic pseudo-random numbers.

/// SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014): a 64-bit counter and a mixer.
#[derive(Debug, Clone)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// Creates the sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 uniformly random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }
}

/// The mixing function of SplitMix64: a bijection of the 64-bit numbers that scatters neighbours.
#[inline]
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number in [0, 1) from the upper 53 of 64 random bits.
#[inline]
pub fn unit_interval(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// Priority of an item with this weight and uniform number `u` in [0, 1). The `k` items with the smallest priorities are a
/// weighted sample without replacement (Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006; they take
/// the largest `u^(1 / weight)`, here on the scale of `-ln`).
///
/// Weight 0 gives infinity. The logarithm is that of the `libm` crate, so every machine computes the same bits.
pub fn sampling_key(u: f64, weight: f64) -> f64 {
    if weight > 0.0 { -libm::log1p(-u) / weight } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_draw_follows_the_weights_and_so_does_the_second() {
        let weights = [1.0, 2.0, 5.0, 0.0];
        let mut random = SplitMix64::new(5);
        let rounds = 40_000;
        let mut draws = [[0_f64; 4]; 2];
        for _ in 0..rounds {
            let keys = weights.map(|weight| sampling_key(unit_interval(random.next_u64()), weight));
            let mut order = [0, 1, 2, 3];
            order.sort_by(|a, b| keys[*a].total_cmp(&keys[*b]));
            draws[0][order[0]] += 1.0 / f64::from(rounds);
            draws[1][order[1]] += 1.0 / f64::from(rounds);
        }
        let first = [1.0 / 8.0, 2.0 / 8.0, 5.0 / 8.0, 0.0];
        let second = [0, 1, 2, 3].map(|j| -> f64 {
            let after = |i: usize| first[i] * weights[j] / (8.0 - weights[i]);
            (0..4).filter(|i| *i != j).map(after).sum()
        });
        for (draws, truth) in draws.iter().zip([first, second]) {
            for (share, truth) in draws.iter().zip(truth) {
                let sigma = (truth * (1.0 - truth) / f64::from(rounds)).sqrt();
                assert!((share - truth).abs() <= 5.0 * sigma, "{share} drawn, {truth} expected");
            }
        }
    }

    #[test]
    fn keys_are_numbers_at_the_ends() {
        assert_eq!(sampling_key(0.0, 2.0), 0.0);
        assert_eq!(sampling_key(0.0, 0.0), f64::INFINITY);
        assert!(sampling_key(unit_interval(u64::MAX), 1.0).is_finite());
    }

    #[test]
    fn gives_the_published_sequence() {
        let mut random = SplitMix64::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn the_unit_interval_is_half_open() {
        assert_eq!(unit_interval(0), 0.0);
        assert!(unit_interval(u64::MAX) < 1.0);
        assert_eq!(unit_interval(1 << 63), 0.5);
    }
}
