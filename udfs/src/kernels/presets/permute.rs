//! Base hashes and permutations of datasketch and the tools derived from it.
//!
//! A permutation maps `h` to `((h * a + b) mod 2^64 mod (2^61 - 1)) & mask`. The wrap at 2^64 comes from numpy's 64-bit
//! arithmetic and makes this a different function from the universal hash of the literature.

use rand_mt::Mt;
use sha1::{Digest, Sha1};

const MERSENNE_61: u64 = (1 << 61) - 1;

/// The first four bytes of SHA-1, little-endian.
pub fn sha1_32(data: &[u8]) -> u32 {
    let digest: [u8; 20] = Sha1::digest(data).into();
    let [a, b, c, d, ..] = digest;
    u32::from_le_bytes([a, b, c, d])
}

/// The first eight bytes of SHA-1, little-endian.
pub fn sha1_64(data: &[u8]) -> u64 {
    let digest: [u8; 20] = Sha1::digest(data).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// The order in which a tool draws its multipliers `a` and addends `b` from one generator.
#[derive(Debug, Clone, Copy)]
pub enum Drawn {
    /// All `a`, then all `b`.
    AllThenAll,
    /// `a` and `b` of one permutation after the other.
    Interleaved,
}

/// The `(a, b)` of all permutations of a signature.
#[derive(Debug, Clone)]
pub struct Permutations {
    a: Vec<u64>,
    b: Vec<u64>,
    mask: u64,
}

impl Permutations {
    /// Draws `n` permutations: `a` from `1..2^61-1`, `b` from `0..2^61-1`, as numpy's `RandomState(seed)` does.
    pub fn new(seed: u32, n: usize, drawn: Drawn, mask: u64) -> Self {
        let mut rng = Mt::new(seed);
        let (a, b) = match drawn {
            Drawn::AllThenAll => {
                let a = (0..n).map(|_| randint(&mut rng, 1)).collect();
                (a, (0..n).map(|_| randint(&mut rng, 0)).collect())
            }
            Drawn::Interleaved => (0..n).map(|_| (randint(&mut rng, 1), randint(&mut rng, 0))).unzip(),
        };
        Self { a, b, mask }
    }

    /// Number of permutations.
    pub fn len(&self) -> usize {
        self.a.len()
    }

    /// The maximum value in a signature, which is also every value in the signature of the empty set.
    pub fn mask(&self) -> u64 {
        self.mask
    }

    /// Replaces each value of `signature` by the minimum of itself and `hash` under its permutation.
    pub fn fold_min(&self, hash: u64, signature: &mut [u64]) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
            // SAFETY: the processor has both features, as the line above found.
            return unsafe { self.fold_min_avx512(hash, signature) };
        }
        self.fold_min_portable(hash, signature);
    }

    /// The same code: AVX-512DQ is the first x86 extension that multiplies 64-bit lanes.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn fold_min_avx512(&self, hash: u64, signature: &mut [u64]) {
        self.fold_min_portable(hash, signature);
    }

    #[inline(always)]
    fn fold_min_portable(&self, hash: u64, signature: &mut [u64]) {
        for ((value, a), b) in signature.iter_mut().zip(&self.a).zip(&self.b) {
            *value = (*value).min(mod_mersenne_61(hash.wrapping_mul(*a).wrapping_add(*b)) & self.mask);
        }
    }
}

#[inline(always)]
fn mod_mersenne_61(x: u64) -> u64 {
    let folded = (x & MERSENNE_61) + (x >> 61);
    // Below the prime, the difference wraps to a huge number.
    folded.min(folded.wrapping_sub(MERSENNE_61))
}

/// `RandomState.randint(low, 2**61 - 1, dtype=uint64)`: 64-bit draws (two of 32, the high one first), masked to the bits of
/// the largest offset, until one is small enough.
fn randint(rng: &mut Mt, low: u64) -> u64 {
    let largest = MERSENNE_61 - 1 - low;
    loop {
        let high = u64::from(rng.next_u32());
        let draw = ((high << 32) | u64::from(rng.next_u32())) & MERSENNE_61;
        if draw <= largest {
            return low + draw;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn draws_like_numpy() {
        // RandomState(1) and RandomState(42): randint(1, M), then randint(0, M) twice, with numpy 2.4.
        for (seed, expected) in [
            (1, [775169054918279404, 1758426461858698312, 2109959069025161]),
            (42, [2297359619001564596, 1396682528897996046, 1973689801170867271]),
        ] {
            let mut rng = Mt::new(seed);
            assert_eq!([randint(&mut rng, 1), randint(&mut rng, 0), randint(&mut rng, 0)], expected);
        }
    }

    #[test]
    fn hashes_like_datasketch() {
        assert_eq!(sha1_32(b"hello"), 499578026);
        assert_eq!(sha1_64(b"hello") & u64::from(u32::MAX), 499578026);
    }

    #[test]
    fn every_instruction_set_gives_the_same() {
        let permutations = Permutations::new(1, 113, Drawn::AllThenAll, u64::MAX);
        let (mut a, mut b) = (vec![u64::MAX; 113], vec![u64::MAX; 113]);
        for hash in (0..1000_u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)) {
            permutations.fold_min(hash, &mut a);
            permutations.fold_min_portable(hash, &mut b);
            assert_eq!(a, b);
        }
    }

    proptest! {
        #[test]
        fn folds_to_the_remainder(x in any::<u64>(), near in 0_u64..16) {
            for x in [x, u64::MAX - near, MERSENNE_61.wrapping_mul(near).wrapping_add(near % 3).wrapping_sub(1)] {
                prop_assert_eq!(mod_mersenne_61(x), x % MERSENNE_61);
            }
        }
    }
}
