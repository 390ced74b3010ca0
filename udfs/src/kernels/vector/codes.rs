//! Directions in 8 bits a value: a quarter of the memory of a vector, products several times as fast, and a bound of what they
//! leave open.
//!
//! A code is a vector of whole numbers from -127 to 127 that points nearly where its vector does. The angle between the two is
//! measured once, and angles obey the triangle inequality: the angle of two vectors differs from that of their codes by no more
//! than the sum of the two. Products of codes are whole numbers, so they do not depend on blocks, threads or machines.

use std::ops::Range;

use super::arithmetic::{dot, sizes, squared_norm, widest};

/// Codes in a word.
pub(super) const WORD: usize = 4;
/// Largest code.
const LARGEST: f64 = 127.0;

/// Most values in a vector: more could overflow a sum.
pub const MOST_DIMENSIONS: usize = 1 << 16;

/// Codes of vectors.
#[derive(Debug, Clone, Default)]
pub struct Codes {
    /// Words of a code.
    pub(super) width: usize,
    pub(super) words: Vec<i32>,
    /// 128 times the sum of each code: what sums with the right codes taken 128 larger are too large by.
    pub(super) offset: Vec<i32>,
    /// One over each code's length; 0 for a vector of zeros.
    pub(super) inverse: Vec<f32>,
    /// Sine of the angle between vector and code, rounded up; 1 for a vector of zeros.
    pub(super) sine: Vec<f32>,
    /// The code that is made.
    rounded: Vec<f32>,
    bytes: Vec<u8>,
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

    /// The codes of vectors of that many dimensions, which are one after the other. O(n d).
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

    /// The codes as records of [`Self::size`] bytes, at the end of `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        for (row, ((offset, inverse), sine)) in self.offset.iter().zip(&self.inverse).zip(&self.sine).enumerate() {
            let words = &self.words[row * self.width..(row + 1) * self.width];
            words.iter().for_each(|word| out.extend_from_slice(&word.to_ne_bytes()));
            out.extend_from_slice(&offset.to_ne_bytes());
            out.extend_from_slice(&inverse.to_ne_bytes());
            out.extend_from_slice(&sine.to_ne_bytes());
        }
    }

    /// Adds codes from their records; what is left of a record is left out.
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

/// Whole numbers from -127 to 127 as bytes; their sum.
fn narrow(codes: &[f32], out: &mut [u8]) -> i32 {
    widest!(narrow_of, (codes: &[f32], out: &mut [u8]) -> i32)
}

#[inline(always)]
fn narrow_of(codes: &[f32], out: &mut [u8]) -> i32 {
    out.iter_mut().zip(codes).for_each(|(byte, code)| *byte = (*code as i32 as i8).cast_unsigned());
    codes.iter().map(|code| *code as i32).sum()
}

/// From -127 to 127, as the largest value becomes 127.
fn round(vector: &[f32], scale: f64, out: &mut [f32]) {
    widest!(round_of, (vector: &[f32], scale: f64, out: &mut [f32]))
}

#[inline(always)]
fn round_of(vector: &[f32], scale: f64, out: &mut [f32]) {
    out.iter_mut().zip(vector).for_each(|(code, value)| *code = (f64::from(*value) * scale).round_ties_even() as f32);
}
