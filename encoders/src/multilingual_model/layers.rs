//! The layers applied to token vectors.

use nalgebra::{DMatrixView, DMatrixViewMut};

use super::DIMENSION;

/// Output width of a convolution.
const WIDTH: usize = 256;
/// For each convolution, the number of tokens it covers and how many of them precede the current one.
const ORDERS: [(usize, usize); 3] = [(2, 0), (3, 1), (5, 2)];
/// Values per token after the convolutions, starting with its own vector.
const FEATURES: usize = DIMENSION + ORDERS.len() * WIDTH;
/// Width of the narrow dense layers.
const NARROW: usize = 320;
/// Added to variances.
const EPSILON: f32 = 1e-12;
/// Products with fewer rows are summed in another order, but the vector of a text must not depend on how many texts run with
/// it.
const LEAST_ROWS: usize = 8;

/// Reads the numbers of a packed file in order.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn vector(&mut self, length: usize) -> Option<Vec<f32>> {
        Some(self.bytes(4 * length)?.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    fn matrix(&mut self, rows: usize, columns: usize) -> Option<Matrix> {
        let scales = self.vector(columns)?;
        let values = self.bytes(rows * columns)?.iter().zip(scales.iter().cycle());
        Some(Matrix {
            rows,
            columns,
            values: values.map(|(value, scale)| f32::from(value.cast_signed()) * scale).collect(),
        })
    }
}

#[derive(Debug)]
struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// Multiplies `left` by this matrix. Each row of `left` has as many values as this matrix has rows.
    fn times(&self, left: &[f32]) -> Vec<f32> {
        let count = left.len() / self.rows;
        let mut padded = vec![];
        let left = if count < LEAST_ROWS {
            padded.extend_from_slice(left);
            padded.resize(LEAST_ROWS * self.rows, 0.0);
            &padded
        } else {
            left
        };
        let count_run = left.len() / self.rows;
        let mut out = vec![0.0; count_run * self.columns];
        // Rows in order are the columns of the transpose.
        let right = DMatrixView::from_slice(&self.values, self.columns, self.rows);
        let left = DMatrixView::from_slice(left, self.rows, count_run);
        DMatrixViewMut::from_slice(&mut out, self.columns, count_run).gemm(1.0, &right, &left, 0.0);
        out.truncate(count * self.columns);
        out
    }
}

/// The layers, in the order of the packed file.
#[derive(Debug)]
pub struct Layers {
    branches: Vec<Branch>,
    gain: Vec<f32>,
    shift: Vec<f32>,
    sum: Matrix,
    sum_shift: Vec<f32>,
    dense: [Matrix; 6],
}

#[derive(Debug)]
struct Branch {
    first: Matrix,
    first_shift: Vec<f32>,
    gain: Vec<f32>,
    shift: Vec<f32>,
    convolutions: [(Matrix, Vec<f32>); 2],
}

impl Layers {
    /// Reads the layers; `None` if the file ends early or has bytes left.
    pub fn read(mut reader: Reader<'_>) -> Option<Self> {
        let mut branches = vec![];
        for (order, _) in ORDERS {
            branches.push(Branch {
                first: reader.matrix(DIMENSION, WIDTH)?,
                first_shift: reader.vector(WIDTH)?,
                gain: reader.vector(WIDTH)?,
                shift: reader.vector(WIDTH)?,
                convolutions: [
                    (reader.matrix(order * WIDTH, WIDTH)?, reader.vector(WIDTH)?),
                    (reader.matrix(order * WIDTH, WIDTH)?, reader.vector(WIDTH)?),
                ],
            });
        }
        let layers = Self {
            branches,
            gain: reader.vector(FEATURES)?,
            shift: reader.vector(FEATURES)?,
            sum: reader.matrix(FEATURES, DIMENSION)?,
            sum_shift: reader.vector(DIMENSION)?,
            dense: [
                reader.matrix(DIMENSION, NARROW)?,
                reader.matrix(NARROW, NARROW)?,
                reader.matrix(DIMENSION, NARROW)?,
                reader.matrix(NARROW, DIMENSION)?,
                reader.matrix(NARROW, DIMENSION)?,
                reader.matrix(DIMENSION, DIMENSION)?,
            ],
        };
        reader.0.is_empty().then_some(layers)
    }

    /// Returns unit vectors of texts with these `lengths` in tokens. `vectors` holds the concatenated vectors of their
    /// tokens.
    pub fn run(&self, lengths: &[usize], vectors: &[f32]) -> Vec<f32> {
        let count = vectors.len() / DIMENSION;
        let mut features = vec![0.0; count * FEATURES];
        copy_into(vectors, DIMENSION, &mut features, FEATURES, 0);
        let mut all = vec![0.0; count * ORDERS.len() * WIDTH];
        for (number, branch) in self.branches.iter().enumerate() {
            let mut first = branch.first.times(vectors);
            add(&mut first, &branch.first_shift);
            copy_into(&first, WIDTH, &mut all, ORDERS.len() * WIDTH, number * WIDTH);
        }
        let joined = |of: fn(&Branch) -> &[f32]| self.branches.iter().flat_map(of).copied().collect::<Vec<f32>>();
        normalize(&mut all, &joined(|branch| &branch.gain), &joined(|branch| &branch.shift));
        for (number, (branch, order)) in self.branches.iter().zip(ORDERS).enumerate() {
            let own = all.chunks_exact(ORDERS.len() * WIDTH);
            let mut current: Vec<f32> =
                own.flat_map(|row| &row[number * WIDTH..(number + 1) * WIDTH]).copied().collect();
            for (matrix, shift) in &branch.convolutions {
                let mut found = matrix.times(&windows(&current, lengths, order));
                add(&mut found, shift);
                found.iter_mut().zip(&current).for_each(|(new, old)| *new = new.max(0.0) + old);
                current = found;
            }
            copy_into(&current, WIDTH, &mut features, FEATURES, DIMENSION + number * WIDTH);
        }
        normalize(&mut features, &self.gain, &self.shift);
        self.texts(lengths, &features)
    }

    fn texts(&self, lengths: &[usize], features: &[f32]) -> Vec<f32> {
        let mut sums = vec![0.0; lengths.len() * FEATURES];
        let mut rest = features;
        for (sum, &length) in sums.chunks_exact_mut(FEATURES).zip(lengths) {
            let (own, others) = rest.split_at(length * FEATURES);
            rest = others;
            for token in own.chunks_exact(FEATURES) {
                sum.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
            }
        }
        let mut mean = self.sum.times(&sums);
        for (mean, &length) in mean.chunks_exact_mut(DIMENSION).zip(lengths) {
            let length = length.max(1) as f32;
            let by = |(mean, shift): (&mut f32, &f32)| *mean = (*mean + length * shift) / length.sqrt();
            mean.iter_mut().zip(&self.sum_shift).for_each(by);
        }
        let [d0, d1, p1, d2, p3, d3] = &self.dense;
        let rectified = |mut values: Vec<f32>| {
            values.iter_mut().for_each(|value| *value = value.max(0.0));
            values
        };
        let plus = |mut values: Vec<f32>, others: Vec<f32>| {
            values.iter_mut().zip(others).for_each(|(value, other)| *value += other);
            values
        };
        let first = rectified(d0.times(&mean));
        let second = rectified(plus(p1.times(&mean), d1.times(&first)));
        let third = rectified(d2.times(&second));
        let mut out = plus(p3.times(&second), d3.times(&third));
        for vector in out.chunks_exact_mut(DIMENSION) {
            vector.iter_mut().for_each(|value| *value = value.tanh());
            crate::normalize::normalize(vector);
        }
        out
    }
}

/// For each row, the surrounding rows within its own text, padded with zeros.
fn windows(rows: &[f32], lengths: &[usize], (order, before): (usize, usize)) -> Vec<f32> {
    let mut out = vec![0.0; rows.len() * order];
    let mut start = 0;
    for &length in lengths {
        for place in 0..length {
            for at in 0..order {
                let Some(from) = (place + at).checked_sub(before).filter(|from| *from < length) else { continue };
                let to = ((start + place) * order + at) * WIDTH;
                out[to..to + WIDTH].copy_from_slice(&rows[(start + from) * WIDTH..][..WIDTH]);
            }
        }
        start += length;
    }
    out
}

fn copy_into(rows: &[f32], width: usize, into: &mut [f32], into_width: usize, at: usize) {
    for (row, into) in rows.chunks_exact(width).zip(into.chunks_exact_mut(into_width)) {
        into[at..at + width].copy_from_slice(row);
    }
}

fn add(rows: &mut [f32], shift: &[f32]) {
    for row in rows.chunks_exact_mut(shift.len()) {
        row.iter_mut().zip(shift).for_each(|(value, shift)| *value += shift);
    }
}

/// Layer normalisation: subtracts the mean of each row, divides by the root of its variance, then scales and shifts.
fn normalize(rows: &mut [f32], gain: &[f32], shift: &[f32]) {
    let width = gain.len() as f32;
    for row in rows.chunks_exact_mut(gain.len()) {
        let mean = row.iter().sum::<f32>() / width;
        row.iter_mut().for_each(|value| *value -= mean);
        let variance = row.iter().map(|value| value * value).sum::<f32>() / width;
        let by = 1.0 / (variance + EPSILON).sqrt();
        for ((value, gain), shift) in row.iter_mut().zip(gain).zip(shift) {
            *value = *value * by * gain + shift;
        }
    }
}
