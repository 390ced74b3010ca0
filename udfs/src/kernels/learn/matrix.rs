//! Products of small dense matrices of 32-bit floats.
//!
//! Every element of a product is one sum in the order of the inner dimension. The width of the registers, the blocking and the number
//! of threads never change that order, so all machines compute the same bits.

use crate::kernels::vector::arithmetic::widest;

/// Widths of matrices are multiples of this many columns; the rest is zeros.
pub const LANES: usize = 16;

/// Rows of the left matrix that are multiplied at once.
const ROWS: usize = 4;

/// The left side of a product: element `(row, column)` is at `row * row_step + column * column_step`.
#[derive(Debug, Clone, Copy)]
pub struct Left<'a> {
    values: &'a [f32],
    row_step: usize,
    column_step: usize,
}

impl<'a> Left<'a> {
    /// A matrix of rows of `width` values.
    pub fn rows(values: &'a [f32], width: usize) -> Self {
        Self { values, row_step: width, column_step: 1 }
    }

    /// The transpose of a matrix of rows of `width` values.
    pub fn transposed(values: &'a [f32], width: usize) -> Self {
        Self { values, row_step: 1, column_step: width }
    }
}

/// `count` rounded up to whole lanes.
pub fn padded(count: usize) -> usize {
    count.next_multiple_of(LANES)
}

/// `out += left * right`. `left` has `rows` x `inner` elements; `right` has `inner` rows and `out` has `rows` rows of `width` values,
/// a multiple of [`LANES`]. `panel` is scratch that is kept between calls.
pub fn add_product(
    left: Left,
    inner: usize,
    right: &[f32],
    width: usize,
    out: &mut [f32],
    panel: &mut Vec<[f32; ROWS]>,
) {
    widest!(
        add_product_of,
        (left: Left, inner: usize, right: &[f32], width: usize, out: &mut [f32], panel: &mut Vec<[f32; ROWS]>)
    );
}

#[inline(always)]
fn add_product_of(
    left: Left,
    inner: usize,
    right: &[f32],
    width: usize,
    out: &mut [f32],
    panel: &mut Vec<[f32; ROWS]>,
) {
    if width == 0 || inner == 0 {
        return;
    }
    let rows = out.len() / width;
    for (block, out) in out.chunks_mut(ROWS * width).enumerate() {
        let first = block * ROWS;
        let present = (rows - first).min(ROWS);
        panel.clear();
        panel.extend((0..inner).map(|column| {
            let mut values = [0.0; ROWS];
            for (row, value) in values.iter_mut().enumerate().take(present) {
                *value = left.values[(first + row) * left.row_step + column * left.column_step];
            }
            values
        }));
        for column in (0..width).step_by(LANES) {
            let mut sums = [[0.0_f32; LANES]; ROWS];
            for (row, sums) in sums.iter_mut().enumerate().take(present) {
                sums.copy_from_slice(&out[row * width + column..][..LANES]);
            }
            for (values, right) in panel.iter().zip(right.chunks_exact(width)) {
                let Some(right) = right[column..].first_chunk::<LANES>() else { continue };
                for row in 0..ROWS {
                    for lane in 0..LANES {
                        sums[row][lane] += values[row] * right[lane];
                    }
                }
            }
            for (row, sums) in sums.iter().enumerate().take(present) {
                out[row * width + column..][..LANES].copy_from_slice(sums);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_have_the_bits_of_a_plain_loop() {
        for (rows, inner, width) in [(1, 1, 16), (4, 3, 16), (7, 19, 48), (16, 192, 64)] {
            let number = |at: usize| ((at * 7919) % 1013) as f32 / 500.0 - 1.0;
            let left: Vec<f32> = (0..rows * inner).map(number).collect();
            let right: Vec<f32> = (0..inner * width).map(|at| number(at + 5)).collect();
            let turned: Vec<f32> = (0..rows * inner).map(|at| left[at % rows * inner + at / rows]).collect();
            let mut expected = vec![0.5_f32; rows * width];
            for row in 0..rows {
                for at in 0..inner {
                    for column in 0..width {
                        expected[row * width + column] += left[row * inner + at] * right[at * width + column];
                    }
                }
            }
            for side in [Left::rows(&left, inner), Left::transposed(&turned, rows)] {
                let mut out = vec![0.5; rows * width];
                add_product(side, inner, &right, width, &mut out, &mut vec![]);
                assert_eq!(out, expected, "{rows} x {inner} x {width}");
            }
        }
    }
}
