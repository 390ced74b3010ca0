//! Random projection to fewer dimensions.

use super::arithmetic::dot;
use crate::kernels::random::SplitMix64;

/// A matrix of random signs. On average `|Px|^2` equals `|x|^2`, and distances between n rows are preserved within `1 +- e`
/// with about `8 ln(n) / e^2` dimensions (Johnson and Lindenstrauss 1984; signs: Achlioptas, Database-friendly random
/// projections, 2003).
#[derive(Debug)]
pub struct SignProjection {
    from: usize,
    signs: Vec<f32>,
    scale: f64,
}

impl SignProjection {
    /// Draws the matrix from a seed, mapping `from` to `to` dimensions.
    pub fn new(from: usize, to: usize, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let mut signs = Vec::with_capacity(from * to);
        for _ in 0..to {
            for start in (0..from).step_by(64) {
                let bits = random.next_u64();
                signs.extend((0..64.min(from - start)).map(|at| if bits >> at & 1 == 1 { 1.0 } else { -1.0 }));
            }
        }
        Self { from, signs, scale: 1.0 / (to as f64).sqrt() }
    }

    /// Appends the projection of `x`, which must have `from` dimensions.
    pub fn push(&self, x: &[f32], out: &mut Vec<f32>) {
        out.extend(self.signs.chunks_exact(self.from.max(1)).map(|signs| (dot(x, signs) * self.scale) as f32));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::vector::arithmetic::squared_norm;

    #[test]
    fn lengths_are_kept_on_average() {
        let x: Vec<f32> = (0..100).map(|i| ((i * 37 % 11) as f32 - 5.0) / 7.0).collect();
        let ratios: Vec<f64> = (0..200)
            .map(|seed| {
                let mut out = vec![];
                SignProjection::new(100, 64, seed).push(&x, &mut out);
                assert_eq!(out.len(), 64);
                squared_norm(&out) / squared_norm(&x)
            })
            .collect();
        // The variance of a ratio is at most 2 / 64.
        let mean = ratios.iter().sum::<f64>() / 200.0;
        assert!((mean - 1.0).abs() < 5.0 * (2.0_f64 / 64.0 / 200.0).sqrt(), "{mean}");
        assert!(ratios.iter().all(|ratio| (ratio - 1.0).abs() < 6.0 * (2.0_f64 / 64.0).sqrt()));
    }
}
