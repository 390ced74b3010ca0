//! MinHash signatures (Broder, On the resemblance and containment of documents, 1997). The fraction of equal positions in two
//! signatures estimates the Jaccard similarity of the two sets.

use super::random::SplitMix64;

/// Permutations computed together, in vector registers.
const LANES: usize = 32;
/// Shingles folded to 32 bits at a time.
const TILE: usize = 512;

/// A family of permutations of the 32-bit numbers, `x -> (x ^ c) * a` modulo 2³² with odd `a`.
///
/// Shingles are hashes already, so the smallest one under a permutation is uniformly random.
#[derive(Debug, Clone)]
pub struct MinHasher {
    num_perm: usize,
    blocks: Vec<Block>,
}

#[derive(Debug, Clone)]
struct Block {
    xors: [u32; LANES],
    factors: [u32; LANES],
}

impl MinHasher {
    /// Draws `num_perm` permutations from the seed. The first ones are the same whatever their number.
    pub fn new(num_perm: usize, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let blocks = (0..num_perm.div_ceil(LANES))
            .map(|_| {
                let mut block = Block { xors: [0; LANES], factors: [0; LANES] };
                for (xor, factor) in block.xors.iter_mut().zip(&mut block.factors) {
                    let bits = random.next_u64();
                    (*xor, *factor) = ((bits >> 32) as u32, bits as u32 | 1);
                }
                block
            })
            .collect();
        Self { num_perm, blocks }
    }

    /// Number of permutations, which is the length of a signature.
    pub fn num_perm(&self) -> usize {
        self.num_perm
    }

    /// Writes the smallest value of the shingles under each permutation to the first `num_perm` places of `out`, or fewer if
    /// `out` is shorter. Without shingles, all values are `u32::MAX`.
    ///
    /// The order of shingles and repetitions do not matter.
    pub fn signature(&self, shingles: &[u64], out: &mut [u32]) {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                // SAFETY: the processor has AVX-512F, as the line above found.
                return unsafe { self.signature_avx512(shingles, out) };
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has AVX2, as the line above found.
                return unsafe { self.signature_avx2(shingles, out) };
            }
        }
        self.minima(shingles, out);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    fn signature_avx512(&self, shingles: &[u64], out: &mut [u32]) {
        self.minima(shingles, out);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn signature_avx2(&self, shingles: &[u64], out: &mut [u32]) {
        self.minima(shingles, out);
    }

    #[inline(always)]
    fn minima(&self, shingles: &[u64], out: &mut [u32]) {
        let places = self.num_perm.min(out.len());
        let out = &mut out[..places];
        out.fill(u32::MAX);
        let mut folded = [0; TILE];
        for tile in shingles.chunks(TILE) {
            let folded = &mut folded[..tile.len()];
            for (to, from) in folded.iter_mut().zip(tile) {
                *to = (from ^ (from >> 32)) as u32;
            }
            for (block, out) in self.blocks.iter().zip(out.chunks_mut(LANES)) {
                let mut minima = [u32::MAX; LANES];
                for x in &*folded {
                    #[expect(
                        clippy::needless_range_loop,
                        reason = "keeps the minima in vector registers; zipped it is 4x slower"
                    )]
                    for lane in 0..LANES {
                        minima[lane] = minima[lane].min((x ^ block.xors[lane]).wrapping_mul(block.factors[lane]));
                    }
                }
                for (out, minimum) in out.iter_mut().zip(minima) {
                    *out = minimum.min(*out);
                }
            }
        }
    }
}

/// The fraction of equal positions in two signatures of the same length; 0 if they are empty.
pub fn estimate_jaccard(a: &[u32], b: &[u32]) -> f64 {
    let equal = a.iter().zip(b).filter(|(a, b)| a == b).count();
    if a.is_empty() { 0.0 } else { equal as f64 / a.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(size: usize, shared: usize, random: &mut SplitMix64) -> (Vec<u64>, Vec<u64>) {
        let a: Vec<u64> = (0..size).map(|_| random.next_u64()).collect();
        let mut b = a[..shared].to_vec();
        b.resize_with(size, || random.next_u64());
        (a, b)
    }

    fn signature(hasher: &MinHasher, shingles: &[u64]) -> Vec<u32> {
        let mut out = vec![0; hasher.num_perm()];
        hasher.signature(shingles, &mut out);
        out
    }

    #[test]
    fn follows_the_definition_on_every_processor() {
        let mut random = SplitMix64::new(7);
        for num_perm in [1, 5, 31, 32, 33, 112, 128, 256] {
            let hasher = MinHasher::new(num_perm, 42);
            for size in [0, 1, 2, 511, 512, 513, 2000] {
                let shingles: Vec<u64> = (0..size).map(|_| random.next_u64()).collect();
                let twin: Vec<u32> = (0..num_perm)
                    .map(|i| {
                        let block = &hasher.blocks[i / LANES];
                        let (c, a) = (block.xors[i % LANES], block.factors[i % LANES]);
                        shingles.iter().map(|x| ((x ^ x >> 32) as u32 ^ c).wrapping_mul(a)).min().unwrap_or(u32::MAX)
                    })
                    .collect();
                assert_eq!(signature(&hasher, &shingles), twin);
                let mut plain = vec![0; num_perm];
                hasher.minima(&shingles, &mut plain);
                assert_eq!(plain, twin);
                assert!(hasher.blocks.iter().all(|block| block.factors.iter().all(|a| a % 2 == 1)));
            }
        }
    }

    #[test]
    fn fewer_permutations_are_a_prefix() {
        let (a, _) = sets(300, 0, &mut SplitMix64::new(1));
        let (short, long) = (MinHasher::new(40, 9), MinHasher::new(200, 9));
        assert_eq!(signature(&short, &a), signature(&long, &a)[..40]);
        assert_ne!(signature(&MinHasher::new(40, 10), &a), signature(&short, &a));
    }

    #[test]
    fn estimates_are_unbiased_with_the_variance_of_independent_permutations() {
        let mut random = SplitMix64::new(11);
        for (size, shared) in [(20, 10), (200, 60), (200, 165), (1000, 900), (5, 1)] {
            let truth = shared as f64 / (2 * size - shared) as f64;
            let (pairs, num_perm) = (400, 128);
            let hasher = MinHasher::new(num_perm, random.next_u64());
            let errors: Vec<f64> = (0..pairs)
                .map(|_| {
                    let (a, b) = sets(size, shared, &mut random);
                    estimate_jaccard(&signature(&hasher, &a), &signature(&hasher, &b)) - truth
                })
                .collect();
            let variance = truth * (1.0 - truth) / num_perm as f64;
            let bias = errors.iter().sum::<f64>() / pairs as f64;
            let sigmas = bias / (variance / pairs as f64).sqrt();
            assert!(sigmas.abs() < 5.0, "{size} with {shared} shared: off by {sigmas} sigma");
            let spread = errors.iter().map(|e| e * e).sum::<f64>() / pairs as f64 / variance;
            assert!(spread < 1.6, "{size} with {shared} shared: {spread} times the variance of independent ones");
        }
    }
}
