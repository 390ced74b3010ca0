//! Int8 quantisation of directions. A code takes a quarter of the memory of a vector, its products are several times as fast,
//! and the error is bounded.
//!
//! A code is a vector of integers from -127 to 127 that points nearly in the direction of its vector. The angle between the
//! two is measured once. By the triangle inequality, the angle between two vectors differs from that between their codes by
//! at most the sum of both angles. Products of codes are integers, so they do not depend on blocks, threads or machines.

use std::ops::Range;

use super::arithmetic::{dot, sizes, squared_norm, widest};

/// Number of int8 values in a word.
pub(super) const WORD: usize = 4;
/// Largest absolute value of a code.
const LARGEST: f64 = 127.0;

/// Maximum number of dimensions: with more, a sum could overflow.
pub const MOST_DIMENSIONS: usize = 1 << 16;

/// Int8 codes of a set of vectors.
#[derive(Debug, Clone, Default)]
pub struct Codes {
    /// Number of words per code.
    pub(super) width: usize,
    pub(super) words: Vec<i32>,
    /// 128 times the sum of each code. Sums are too large by this amount if the values of the right codes are shifted by 128.
    pub(super) offset: Vec<i32>,
    /// Reciprocal of each code's length; 0 for a zero vector.
    pub(super) inverse: Vec<f32>,
    /// Sine of the angle between vector and code, rounded up; 1 for a zero vector.
    pub(super) sine: Vec<f32>,
    /// The code being computed.
    rounded: Vec<f32>,
    bytes: Vec<u8>,
}

impl Codes {
    /// Bytes per code with that many dimensions.
    pub fn size(dimensions: usize) -> usize {
        dimensions.div_ceil(WORD) * WORD + 12
    }

    /// Creates an empty set for vectors with that many dimensions.
    pub fn new(dimensions: usize) -> Self {
        Self { width: dimensions.div_ceil(WORD), ..Self::default() }
    }

    /// Quantises concatenated vectors with that many dimensions. O(n d).
    pub fn of(vectors: &[f32], dimensions: usize) -> Self {
        let mut codes = Self::new(dimensions);
        let rows = vectors.len() / dimensions.max(1);
        codes.words.reserve_exact(rows * codes.width);
        codes.offset.reserve_exact(rows);
        codes.inverse.reserve_exact(rows);
        codes.sine.reserve_exact(rows);
        vectors.chunks_exact(dimensions.max(1)).for_each(|vector| codes.push(vector));
        codes
    }

    /// Number of codes.
    pub fn len(&self) -> usize {
        self.inverse.len()
    }

    /// Whether there are no codes.
    pub fn is_empty(&self) -> bool {
        self.inverse.is_empty()
    }

    /// Removes all codes and prepares for vectors with `dimensions` values.
    pub fn clear(&mut self, dimensions: usize) {
        self.width = dimensions.div_ceil(WORD);
        self.words.clear();
        self.offset.clear();
        self.inverse.clear();
        self.sine.clear();
    }

    /// Adds the code of a vector with finite values. O(d).
    pub fn push(&mut self, vector: &[f32]) {
        let (_, most) = sizes(vector);
        let scale = if most > 0.0 { LARGEST / f64::from(most) } else { 0.0 };
        self.rounded.clear();
        self.rounded.resize(vector.len().next_multiple_of(WORD), 0.0);
        round(vector, scale, &mut self.rounded);
        self.bytes.resize(self.rounded.len(), 0);
        self.offset.push(narrow(&self.rounded, &mut self.bytes) * 128);
        self.words.extend(self.bytes.as_chunks().0.iter().map(|word| i32::from_ne_bytes(*word)));
        let codes = &self.rounded[..vector.len()];
        let squared = squared_norm(codes);
        if squared == 0.0 {
            self.inverse.push(0.0);
            self.sine.push(1.0);
            return;
        }
        let product = dot(vector, codes);
        let cosine_squared = product * product / squared / squared_norm(vector);
        // The error of the 64-bit sums is far below what is added here.
        let sine = (1.0 - cosine_squared + 1e-11).clamp(0.0, 1.0).sqrt();
        self.inverse.push((1.0 / squared.sqrt()) as f32);
        self.sine.push((sine as f32).next_up());
    }

    /// Adds codes of another set with the same number of dimensions.
    pub fn extend(&mut self, from: &Self, rows: Range<usize>) {
        self.words.extend_from_slice(&from.words[rows.start * from.width..rows.end * from.width]);
        self.offset.extend_from_slice(&from.offset[rows.clone()]);
        self.inverse.extend_from_slice(&from.inverse[rows.clone()]);
        self.sine.extend_from_slice(&from.sine[rows]);
    }

    /// Appends the codes to `out` as records of [`Self::size`] bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        for (row, ((offset, inverse), sine)) in self.offset.iter().zip(&self.inverse).zip(&self.sine).enumerate() {
            let words = &self.words[row * self.width..(row + 1) * self.width];
            words.iter().for_each(|word| out.extend_from_slice(&word.to_ne_bytes()));
            out.extend_from_slice(&offset.to_ne_bytes());
            out.extend_from_slice(&inverse.to_ne_bytes());
            out.extend_from_slice(&sine.to_ne_bytes());
        }
    }

    /// Adds codes from their records; an incomplete record at the end is ignored.
    pub fn read(&mut self, records: &[u8]) {
        for record in records.chunks_exact((self.width + 3) * WORD) {
            let (words, [offset, inverse, sine]) = record.as_chunks().0.split_at(self.width) else { continue };
            self.words.extend(words.iter().map(|word| i32::from_ne_bytes(*word)));
            self.offset.push(i32::from_ne_bytes(*offset));
            self.inverse.push(f32::from_ne_bytes(*inverse));
            self.sine.push(f32::from_ne_bytes(*sine));
        }
    }
}

/// Converts integers from -127 to 127 to bytes and returns their sum.
fn narrow(codes: &[f32], out: &mut [u8]) -> i32 {
    widest!(narrow_of, (codes: &[f32], out: &mut [u8]) -> i32)
}

#[inline(always)]
fn narrow_of(codes: &[f32], out: &mut [u8]) -> i32 {
    out.iter_mut().zip(codes).for_each(|(byte, code)| *byte = (*code as i32 as i8).cast_unsigned());
    codes.iter().map(|code| *code as i32).sum()
}

/// Scales and rounds values to integers from -127 to 127; the largest absolute value becomes 127.
fn round(vector: &[f32], scale: f64, out: &mut [f32]) {
    widest!(round_of, (vector: &[f32], scale: f64, out: &mut [f32]))
}

#[inline(always)]
fn round_of(vector: &[f32], scale: f64, out: &mut [f32]) {
    out.iter_mut().zip(vector).for_each(|(code, value)| *code = (f64::from(*value) * scale).round_ties_even() as f32);
}
