//! Directions in 8 bits a value: a quarter of the memory of a vector, products several times as fast, and a bound of what they
//! leave open.
//!
//! A code is a vector of whole numbers from -127 to 127 that points nearly where its vector does. The angle between the two is
//! measured once, and angles obey the triangle inequality: the angle of two vectors differs from that of their codes by no more
//! than the sum of the two. Products of codes are whole numbers, so they do not depend on blocks, threads or machines.

use std::ops::Range;

use super::arithmetic::{dot, squared_norm, widest};
use super::search::Metric;

/// Codes in a word.
const WORD: usize = 4;
/// Largest code.
const LARGEST: f64 = 127.0;
/// Right rows of a panel.
const WIDTH: usize = 32;
/// Left rows multiplied at once: 24 registers of sums with AVX-512.
const TILE: usize = 12;
/// Left rows multiplied at once where there are few.
const SMALL_TILE: usize = 3;
/// What rounding to 32 bits adds to the cosine of two codes, with room.
const ROUNDING: f64 = 1e-6;
/// Flips the sign bit of each code in a word: the same as adding 128 without signs.
const SIGNS: i32 = i32::from_ne_bytes([0x80; WORD]);

/// Most values in a vector: more could overflow a sum.
pub const MOST_DIMENSIONS: usize = 1 << 16;

/// Codes of vectors.
#[derive(Debug, Clone, Default)]
pub struct Codes {
    /// Words of a code.
    width: usize,
    words: Vec<i32>,
    /// 128 times the sum of each code: what sums with the right codes taken 128 larger are too large by.
    offset: Vec<i32>,
    /// One over each code's length; 0 for a vector of zeros.
    inverse: Vec<f32>,
    /// Sine of the angle between vector and code, rounded up; 1 for a vector of zeros.
    sine: Vec<f32>,
    /// The code that is made.
    rounded: Vec<f32>,
}

impl Codes {
    /// Bytes of a code of that many dimensions.
    pub fn size(dimensions: usize) -> usize {
        dimensions.div_ceil(WORD) * WORD + 12
    }

    /// No codes of vectors of that many dimensions.
    pub fn new(dimensions: usize) -> Self {
        Self { width: dimensions.div_ceil(WORD), ..Self::default() }
    }

    /// Makes room.
    pub fn reserve(&mut self, rows: usize) {
        self.words.reserve_exact(rows * self.width);
        self.offset.reserve_exact(rows);
        self.inverse.reserve_exact(rows);
        self.sine.reserve_exact(rows);
    }

    /// Number of codes.
    pub fn len(&self) -> usize {
        self.inverse.len()
    }

    /// Whether there is no code.
    pub fn is_empty(&self) -> bool {
        self.inverse.is_empty()
    }

    /// Takes all codes out and makes place for those of `dimensions` values.
    pub fn clear(&mut self, dimensions: usize) {
        self.width = dimensions.div_ceil(WORD);
        self.words.clear();
        self.offset.clear();
        self.inverse.clear();
        self.sine.clear();
    }

    /// Adds the code of a finite vector. O(d).
    pub fn push(&mut self, vector: &[f32]) {
        let most = largest(vector);
        let scale = if most > 0.0 { LARGEST / f64::from(most) } else { 0.0 };
        self.rounded.clear();
        self.rounded.resize(vector.len().next_multiple_of(WORD), 0.0);
        round(vector, scale, &mut self.rounded);
        let codes = self.rounded.as_chunks::<WORD>().0;
        self.words.extend(codes.iter().map(|word| i32::from_ne_bytes(word.map(|code| (code as i8).cast_unsigned()))));
        self.offset.push(self.rounded.iter().map(|code| *code as i32).sum::<i32>() * 128);
        let codes = &self.rounded[..vector.len()];
        let squared = squared_norm(codes);
        if squared == 0.0 {
            self.inverse.push(0.0);
            self.sine.push(1.0);
            return;
        }
        let product = dot(vector, codes);
        let cosine_squared = product * product / squared / squared_norm(vector);
        // Sums of 64 bits are off by far less than what is added here.
        let sine = (1.0 - cosine_squared + 1e-11).clamp(0.0, 1.0).sqrt();
        self.inverse.push((1.0 / squared.sqrt()) as f32);
        self.sine.push((sine as f32).next_up());
    }

    /// Adds codes of another set, which are of as many dimensions.
    pub fn extend(&mut self, from: &Self, rows: Range<usize>) {
        self.words.extend_from_slice(&from.words[rows.start * from.width..rows.end * from.width]);
        self.offset.extend_from_slice(&from.offset[rows.clone()]);
        self.inverse.extend_from_slice(&from.inverse[rows.clone()]);
        self.sine.extend_from_slice(&from.sine[rows]);
    }
}

/// The largest size of a value.
fn largest(vector: &[f32]) -> f32 {
    widest!(largest_of, (vector: &[f32]) -> f32)
}

#[inline(always)]
fn largest_of(vector: &[f32]) -> f32 {
    let (chunks, rest) = vector.as_chunks::<16>();
    let mut lanes = [0.0_f32; 16];
    for values in chunks {
        lanes
            .iter_mut()
            .zip(values)
            .for_each(|(lane, value)| *lane = if value.abs() > *lane { value.abs() } else { *lane });
    }
    lanes.iter().chain(rest).fold(0.0, |most, value| if value.abs() > most { value.abs() } else { most })
}

/// From -127 to 127, as the largest value becomes 127.
fn round(vector: &[f32], scale: f64, out: &mut [f32]) {
    widest!(round_of, (vector: &[f32], scale: f64, out: &mut [f32]))
}

#[inline(always)]
fn round_of(vector: &[f32], scale: f64, out: &mut [f32]) {
    out.iter_mut().zip(vector).for_each(|(code, value)| *code = (f64::from(*value) * scale).round_ties_even() as f32);
}

/// The cosines of the codes of a block, kept to be used again.
#[derive(Debug, Default)]
pub struct CodeScores {
    cosines: Vec<f32>,
    columns: usize,
    /// Sine of each left row's angle to its code, and the largest of the right rows.
    sines: (Vec<f32>, f64),
    panel: Vec<[i32; WIDTH]>,
}

impl CodeScores {
    /// The cosine of every left code and every right one.
    pub fn fill(&mut self, left: &Codes, right: &Codes) {
        self.columns = right.len();
        self.cosines.clear();
        self.cosines.resize(left.len() * right.len(), 0.0);
        self.sines.0.clear();
        self.sines.0.extend_from_slice(&left.sine);
        self.sines.1 = right.sine.iter().copied().fold(0.0, f32::max).into();
        if left.is_empty() || right.is_empty() || left.width == 0 {
            return;
        }
        self.panel.resize(right.width, [0; WIDTH]);
        let kernel = Kernel::of_this_processor();
        for (number, rows) in right.words.chunks(WIDTH * right.width).enumerate() {
            pack(rows, &mut self.panel);
            let first = number * WIDTH;
            let width = rows.len() / right.width;
            let inverse = &right.inverse[first..first + width];
            let mut at = 0;
            let mut put = |sums: &[[i32; WIDTH]]| {
                for sums in sums {
                    let start = at * right.len() + first;
                    let (own, offset) = (left.inverse[at], left.offset[at]);
                    let (out, sums) = (&mut self.cosines[start..start + width], &sums[..width]);
                    for column in 0..width {
                        out[column] = (sums[column] - offset) as f32 * (own * inverse[column]);
                    }
                    at += 1;
                }
            };
            let tiles = left.words.chunks_exact(TILE * left.width);
            let small = tiles.remainder().chunks_exact(SMALL_TILE * left.width);
            let single = small.remainder().chunks_exact(left.width);
            tiles.for_each(|rows| put(&kernel.tile::<TILE>(rows, &self.panel)));
            small.for_each(|rows| put(&kernel.tile::<SMALL_TILE>(rows, &self.panel)));
            single.for_each(|row| put(&kernel.tile::<1>(row, &self.panel)));
        }
    }

    /// Scores instead of cosines, for squared lengths of the vectors, with the margin of each left row: how far a score may be
    /// from that of the vectors.
    pub fn score(&mut self, metric: Metric, left: &[f64], right: &[f64], margins: &mut Vec<f64>) {
        margins.clear();
        let largest = right.iter().copied().fold(0.0, f64::max);
        let lengths = right.iter().map(|squared| squared.sqrt() as f32).collect::<Vec<_>>();
        for (at, &squared) in left.iter().enumerate() {
            // The cosine changes by no more than the angle, and than from 1 to -1.
            let (sine, cosine) = self.sum_of_angles(at);
            let turn = if cosine > 0.0 { (sine + 1.0 - cosine).min(2.0) } else { 2.0 } + ROUNDING;
            let row = &mut self.cosines[at * self.columns..(at + 1) * self.columns];
            match metric {
                Metric::Cosine => margins.push(turn),
                Metric::L2 => {
                    let (length, own) = (2.0 * squared.sqrt() as f32, squared as f32);
                    for ((score, other), other_squared) in row.iter_mut().zip(&lengths).zip(right) {
                        *score = length * other * *score - own - *other_squared as f32;
                    }
                    margins.push(2.0 * (squared * largest).sqrt() * turn + 2_f64.powi(-20) * (squared + largest));
                }
            }
        }
    }

    /// The score of the codes below which no right row can be the one nearest to left row `at`, where the largest is `best` and
    /// [`Self::score`] gave `margin`.
    pub fn floor_of_nearest(&self, metric: Metric, at: usize, best: f32, margin: f64) -> f32 {
        let uniform = f64::from(best) - 2.0 * margin;
        let floor = match metric {
            // Twice the angles, which is less than twice the margin unless the two are at right angles.
            Metric::Cosine => self.certain(at, self.certain(at, best.into()).0).0.max(uniform),
            Metric::L2 => uniform,
        };
        (floor as f32).next_down()
    }

    /// Sine and cosine of the largest sum of the angles of left row `at` and a right row to their codes.
    fn sum_of_angles(&self, at: usize) -> (f64, f64) {
        let (own, other) = (f64::from(self.sines.0[at]), self.sines.1);
        let cosine = |sine: f64| (1.0 - sine * sine).max(0.0).sqrt();
        (own * cosine(other) + other * cosine(own), cosine(own) * cosine(other) - own * other)
    }

    /// The cosines, or scores, of a left code.
    pub fn row(&self, at: usize) -> &[f32] {
        &self.cosines[at * self.columns..(at + 1) * self.columns]
    }

    /// For vectors of left row `at` and any right row: below the first cosine of their codes the cosine of the vectors is below
    /// `threshold`; from the second on it is at least that.
    pub fn certain(&self, at: usize, threshold: f64) -> (f64, f64) {
        let (sine, total) = self.sum_of_angles(at);
        let across = (1.0 - threshold * threshold).max(0.0).sqrt();
        // Angles beyond a right one leave everything open.
        if total <= 0.0 {
            return (f64::NEG_INFINITY, f64::INFINITY);
        }
        let below = threshold * total - across * sine;
        // Where the sum of the angles is larger than that of the threshold, no vectors are certain to be near enough.
        let above = if threshold <= total { threshold * total + across * sine } else { f64::INFINITY };
        // An angle beyond two right ones is none.
        let below = if threshold < -total { f64::NEG_INFINITY } else { below };
        (below - ROUNDING, above + ROUNDING)
    }
}

/// Puts word `k` of each of the rows, with signs flipped, into `panel[k]`; zeros where there are fewer rows.
fn pack(rows: &[i32], panel: &mut [[i32; WIDTH]]) {
    let width = panel.len();
    if rows.len() < WIDTH * width {
        panel.as_flattened_mut().fill(0);
    }
    // A few words of all rows at a time: what is written stays in the nearest cache.
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

/// The instructions that are used.
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
    fn tile<const M: usize>(self, rows: &[i32], panel: &[[i32; WIDTH]]) -> Sums<M> {
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
fn portable<const M: usize>(rows: &[i32], panel: &[[i32; WIDTH]]) -> Sums<M> {
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

    use super::{Sums, WIDTH};

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) fn vnni<const M: usize>(rows: &[i32], panel: &[[i32; WIDTH]]) -> Sums<M> {
        let width = panel.len();
        assert_eq!(rows.len(), M * width);
        let mut sums = [[_mm512_setzero_si512(); 2]; M];
        // Plain loops: what is called must be compiled for the same instructions, and closures in libraries are not.
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

    /// Every other code of the panel at a time, in 16 bits: sums of two products fit 32.
    #[target_feature(enable = "avx2")]
    pub(super) fn avx2<const M: usize>(rows: &[i32], panel: &[[i32; WIDTH]]) -> Sums<M> {
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
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::random::{SplitMix64, unit_interval};
    use crate::kernels::vector::arithmetic::{cosine, squared_norm};

    fn vectors(rows: usize, dimensions: usize, seed: u64) -> Vec<Vec<f32>> {
        let mut random = SplitMix64::new(seed);
        let mut value = || (unit_interval(random.next_u64()) * 4.0 - 1.5) as f32;
        (0..rows).map(|_| (0..dimensions).map(|_| value()).collect()).collect()
    }

    fn codes(vectors: &[Vec<f32>]) -> Codes {
        let mut codes = Codes::new(vectors[0].len());
        vectors.iter().for_each(|vector| codes.push(vector));
        codes
    }

    proptest! {
        #[test]
        fn what_is_certain_is_true(
            seed in any::<u64>(), rows in 1_usize..40, dimensions in 1_usize..70, threshold in -1.0..1.0_f64, size in -30..30_i32,
        ) {
            let mut all = vectors(rows, dimensions, seed);
            // Rows at all angles, and of all lengths.
            for at in 1..rows {
                let (before, after) = all.split_at_mut(at);
                let weight = (at % 7) as f32 * 2_f32.powi(-(at as i32 % 5));
                after[0].iter_mut().zip(&before[at - 1]).for_each(|(x, y)| *x = *x * weight + y);
            }
            all.iter_mut().flatten().for_each(|x| *x *= 2_f32.powi(size));
            let codes = codes(&all);
            let mut scores = CodeScores::default();
            scores.fill(&codes, &codes);
            for (i, a) in all.iter().enumerate() {
                let (below, above) = scores.certain(i, threshold);
                for (j, b) in all.iter().enumerate() {
                    let Some(exact) = cosine(a, b, squared_norm(a), squared_norm(b)) else { continue };
                    let found = f64::from(scores.row(i)[j]);
                    prop_assert!(found >= below || exact < threshold, "{i} {j}: {found} {below} {exact}");
                    prop_assert!(found < above || exact >= threshold, "{i} {j}: {found} {above} {exact}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn scores_are_within_their_margin(
            seed in any::<u64>(), rows in 1_usize..30, dimensions in 1_usize..70, size in -20..20_i32,
        ) {
            let mut all = vectors(rows, dimensions, seed);
            for (at, vector) in all.iter_mut().enumerate() {
                vector.iter_mut().for_each(|x| *x *= 2_f32.powi(size + at as i32 % 5));
            }
            let squared: Vec<f64> = all.iter().map(|vector| squared_norm(vector)).collect();
            let (codes, mut scores, mut margins) = (codes(&all), CodeScores::default(), vec![]);
            for metric in [Metric::Cosine, Metric::L2] {
                scores.fill(&codes, &codes);
                scores.score(metric, &squared, &squared, &mut margins);
                for (i, a) in all.iter().enumerate() {
                    for (j, b) in all.iter().enumerate() {
                        let exact = metric.score(a, b, squared[i], squared[j]);
                        prop_assert!((f64::from(scores.row(i)[j]) - exact).abs() <= margins[i], "{metric:?} {i} {j}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_zero_vector_leaves_everything_open() {
        let codes = codes(&[vec![0.0; 5], vec![1.0; 5]]);
        let mut scores = CodeScores::default();
        scores.fill(&codes, &codes);
        assert_eq!(scores.row(0), [0.0, 0.0]);
        assert_eq!(scores.certain(0, 0.5), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn all_instruction_sets_agree() {
        let (left, right) = (codes(&vectors(TILE, 101, 1)), codes(&vectors(WIDTH, 101, 2)));
        let mut panel = vec![[0; WIDTH]; right.width];
        pack(&right.words, &mut panel);
        let expected = portable::<TILE>(&left.words, &panel);
        assert_eq!(Kernel::of_this_processor().tile::<TILE>(&left.words, &panel), expected);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            assert_eq!(Kernel::Avx2.tile::<TILE>(&left.words, &panel), expected);
        }
    }

    #[test]
    fn cosines_do_not_depend_on_the_rows_around_them() {
        let (left, right) = (codes(&vectors(29, 50, 5)), codes(&vectors(71, 50, 6)));
        let (mut all, mut part) = (CodeScores::default(), CodeScores::default());
        all.fill(&left, &right);
        for (rows, columns) in [(0..5, 3..43), (7..29, 0..71), (28..29, 70..71), (3..17, 33..71)] {
            let (mut l, mut r) = (Codes::new(50), Codes::new(50));
            l.extend(&left, rows.clone());
            r.extend(&right, columns.clone());
            part.fill(&l, &r);
            for (at, row) in rows.enumerate() {
                assert_eq!(part.row(at), &all.row(row)[columns.clone()]);
            }
        }
    }
}
