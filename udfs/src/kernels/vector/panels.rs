//! Products of int8 codes: integers, the same with every instruction set.

use super::codes::WORD;

/// Number of right rows in a panel.
pub(super) const WIDTH: usize = 32;
/// Number of left rows multiplied at once: 24 registers of sums with AVX-512.
const TILE: usize = 12;
/// Number of left rows multiplied at once if there are few.
const SMALL_TILE: usize = 3;
/// Flips the sign bit of each value in a word, which equals adding 128 to make it unsigned.
const SIGNS: i32 = i32::from_ne_bytes([0x80; WORD]);

/// Word `k` of each of 32 right rows, for every `k`.
pub(super) type Panel = [[i32; WIDTH]];

/// Calls `put` for every left row, in order, with its sums over the rows of a panel, whose values are shifted by 128.
pub(super) fn multiply(left: &[i32], panel: &Panel, mut put: impl FnMut(usize, &[i32; WIDTH])) {
    let (kernel, width) = (Kernel::of_this_processor(), panel.len());
    let mut at = 0;
    let mut put = |sums: &[[i32; WIDTH]]| {
        for sums in sums {
            put(at, sums);
            at += 1;
        }
    };
    let tiles = left.chunks_exact(TILE * width);
    let small = tiles.remainder().chunks_exact(SMALL_TILE * width);
    let single = small.remainder().chunks_exact(width);
    tiles.for_each(|rows| put(&kernel.tile::<TILE>(rows, panel)));
    small.for_each(|rows| put(&kernel.tile::<SMALL_TILE>(rows, panel)));
    single.for_each(|row| put(&kernel.tile::<1>(row, panel)));
}

/// Writes word `k` of each of the rows, with signs flipped, to `panel[k]`; missing rows become zeros.
pub(super) fn pack(rows: &[i32], panel: &mut Panel) {
    let width = panel.len();
    if rows.len() < WIDTH * width {
        panel.as_flattened_mut().fill(0);
    }
    // Process a few words of all rows at a time, so that writes stay in the nearest cache.
    for first in (0..width).step_by(16) {
        let end = (first + 16).min(width);
        for (at, row) in rows.chunks_exact(width).enumerate() {
            for word in first..end {
                panel[word][at] = row[word] ^ SIGNS;
            }
        }
    }
}

/// The sums of `M` left rows and a panel.
type Sums<const M: usize> = [[i32; WIDTH]; M];

/// The instruction set in use.
#[derive(Debug, Clone, Copy)]
enum Kernel {
    #[cfg(target_arch = "x86_64")]
    Vnni,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Kernel {
    fn of_this_processor() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
                return Self::Vnni;
            }
            if is_x86_feature_detected!("avx2") {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    /// The products of `M` rows and a panel.
    fn tile<const M: usize>(self, rows: &[i32], panel: &Panel) -> Sums<M> {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the processor has AVX-512F and VNNI.
            Self::Vnni => unsafe { x86::vnni(rows, panel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the processor has AVX2.
            Self::Avx2 => unsafe { x86::avx2(rows, panel) },
            Self::Portable => portable(rows, panel),
        }
    }
}

#[inline(always)]
fn portable<const M: usize>(rows: &[i32], panel: &Panel) -> Sums<M> {
    let mut sums = [[0; WIDTH]; M];
    for (sums, row) in sums.iter_mut().zip(rows.chunks_exact(panel.len())) {
        for (word, others) in row.iter().zip(panel) {
            let codes = word.to_ne_bytes().map(|code| i16::from(code.cast_signed()));
            for (sum, other) in sums.iter_mut().zip(others) {
                let other = other.to_ne_bytes().map(i16::from);
                let term = |at: usize| i32::from(codes[at]) * i32::from(other[at]);
                *sum += (term(0) + term(1)) + (term(2) + term(3));
            }
        }
    }
    sums
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32,
        _mm256_setzero_si256, _mm256_srli_epi16, _mm256_storeu_si256, _mm512_dpbusd_epi32, _mm512_loadu_si512,
        _mm512_set1_epi32, _mm512_setzero_si512, _mm512_storeu_si512,
    };

    use super::{Panel, Sums, WIDTH};

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) fn vnni<const M: usize>(rows: &[i32], panel: &Panel) -> Sums<M> {
        let width = panel.len();
        assert_eq!(rows.len(), M * width);
        let mut sums = [[_mm512_setzero_si512(); 2]; M];
        // Plain loops: called functions must be compiled for the same instructions, and library closures are not.
        let mut at = 0;
        while at < width {
            // SAFETY: `at` is below the number of words, each of which is for 32 rows: two registers.
            let (low, high) = unsafe {
                let words = panel.as_ptr().add(at).cast::<i32>();
                (_mm512_loadu_si512(words.cast()), _mm512_loadu_si512(words.add(WIDTH / 2).cast()))
            };
            let mut row = 0;
            while row < M {
                // SAFETY: `at` is below `width` and `row` below `M`, and `rows` holds `M * width` words.
                let left = _mm512_set1_epi32(unsafe { *rows.as_ptr().add(row * width + at) });
                sums[row][0] = _mm512_dpbusd_epi32(sums[row][0], low, left);
                sums[row][1] = _mm512_dpbusd_epi32(sums[row][1], high, left);
                row += 1;
            }
            at += 1;
        }
        let mut out = [[0; WIDTH]; M];
        let mut row = 0;
        while row < M {
            // SAFETY: a row of sums is two registers.
            unsafe {
                let words = out[row].as_mut_ptr();
                _mm512_storeu_si512(words.cast(), sums[row][0]);
                _mm512_storeu_si512(words.add(WIDTH / 2).cast(), sums[row][1]);
            }
            row += 1;
        }
        out
    }

    /// Processes every other value of the panel at a time, in 16 bits, so that sums of two products fit 32 bits.
    #[target_feature(enable = "avx2")]
    pub(super) fn avx2<const M: usize>(rows: &[i32], panel: &Panel) -> Sums<M> {
        let width = panel.len();
        assert_eq!(rows.len(), M * width);
        let mut out = [[0; WIDTH]; M];
        let low_bytes = _mm256_set1_epi32(0x00ff_00ff);
        let mut row = 0;
        while row < M {
            let mut sums = [_mm256_setzero_si256(); WIDTH / 8];
            let mut at = 0;
            while at < width {
                let [a, b, c, d] = rows[row * width + at].to_le_bytes();
                let pair = |low: u8, high: u8| -> __m256i {
                    let [low, high] = [low, high].map(|code| i16::from(code.cast_signed()).cast_unsigned());
                    _mm256_set1_epi32((u32::from(low) | u32::from(high) << 16).cast_signed())
                };
                let (even, odd) = (pair(a, c), pair(b, d));
                let mut part = 0;
                while part < WIDTH / 8 {
                    // SAFETY: a panel's words are four registers.
                    let right = unsafe { _mm256_loadu_si256(panel[at].as_ptr().add(part * 8).cast()) };
                    let low = _mm256_madd_epi16(_mm256_and_si256(right, low_bytes), even);
                    let high = _mm256_madd_epi16(_mm256_srli_epi16::<8>(right), odd);
                    sums[part] = _mm256_add_epi32(sums[part], _mm256_add_epi32(low, high));
                    part += 1;
                }
                at += 1;
            }
            let mut part = 0;
            while part < WIDTH / 8 {
                // SAFETY: a row of sums is four registers.
                unsafe { _mm256_storeu_si256(out[row].as_mut_ptr().add(part * 8).cast(), sums[part]) };
                part += 1;
            }
            row += 1;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::random::SplitMix64;

    #[test]
    fn all_instruction_sets_agree() {
        let (width, mut random) = (26, SplitMix64::new(1));
        // Codes are at least -127, and words are any four of them.
        let mut words = |rows: usize| -> Vec<i32> {
            let word = |random: u64| random.to_le_bytes().map(|byte| byte.cast_signed().max(-127).cast_unsigned());
            (0..rows * width).map(|_| i32::from_ne_bytes(*word(random.next_u64()).first_chunk().unwrap())).collect()
        };
        let (left, right) = (words(TILE), words(WIDTH));
        let mut panel = vec![[0; WIDTH]; width];
        pack(&right, &mut panel);
        let expected = portable::<TILE>(&left, &panel);
        assert_eq!(Kernel::of_this_processor().tile::<TILE>(&left, &panel), expected);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            assert_eq!(Kernel::Avx2.tile::<TILE>(&left, &panel), expected);
        }
        let mut rows = vec![];
        multiply(&left, &panel, |at, sums| rows.push((at, *sums)));
        assert_eq!(rows, expected.into_iter().enumerate().collect::<Vec<_>>());
    }
}
