//! Blocks of dot products in 32 bits: fast, but only a proposal. [`super::arithmetic`] decides, so every use comes with an
//! error bound.

use nalgebra::{DMatrixView, DMatrixViewMut};

use super::arithmetic::dot;

/// Matrices with sides up to this are not worth packing.
const SMALL: usize = 5;

/// Sets `out[i * right_rows + j]` to the dot product of row `i` of `left` and row `j` of `right`.
///
/// Both hold concatenated rows of `dimensions` values. `out` must have a length of at least `left_rows * right_rows`.
pub fn products(left: &[f32], right: &[f32], dimensions: usize, out: &mut [f32]) {
    if dimensions == 0 || left.is_empty() || right.is_empty() {
        out.fill(0.0);
        return;
    }
    let (left_rows, right_rows) = (left.len() / dimensions, right.len() / dimensions);
    let out = &mut out[..left_rows * right_rows];
    if left_rows.min(right_rows).min(dimensions) <= SMALL {
        for (left, out) in left.chunks_exact(dimensions).zip(out.chunks_exact_mut(right_rows)) {
            for (right, out) in right.chunks_exact(dimensions).zip(out) {
                *out = dot(left, right) as f32;
            }
        }
        return;
    }
    // Column-major matrices: `out` has one column per left row and one row per right row.
    let right = DMatrixView::from_slice_with_strides(right, right_rows, dimensions, dimensions, 1);
    let left = DMatrixView::from_slice(left, dimensions, left_rows);
    DMatrixViewMut::from_slice(out, right_rows, left_rows).gemm(1.0, &right, &left, 0.0);
}

/// How far a product of two rows may be from the true value, as a multiple of the product of their lengths: the usual bound
/// `n u / (1 - n u)` with `u = 2^-24`, doubled for the rounding of the rows themselves.
pub fn error_bound(dimensions: usize) -> f64 {
    let n = (dimensions + 2) as f64 * 2_f64.powi(-24);
    2.0 * n / (1.0 - n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::random::{SplitMix64, unit_interval};
    use crate::kernels::vector::arithmetic::{dot, squared_norm};

    #[test]
    fn products_are_within_the_bound() {
        let mut random = SplitMix64::new(3);
        for (rows, columns, dimensions) in [(1, 1, 1), (3, 2, 5), (17, 9, 384), (130, 33, 48), (2, 300, 7)] {
            let mut fill =
                |n: usize| -> Vec<f32> { (0..n).map(|_| (unit_interval(random.next_u64()) - 0.5) as f32).collect() };
            let (left, right) = (fill(rows * dimensions), fill(columns * dimensions));
            let mut out = vec![f32::NAN; rows * columns];
            products(&left, &right, dimensions, &mut out);
            for (i, a) in left.chunks(dimensions).enumerate() {
                for (j, b) in right.chunks(dimensions).enumerate() {
                    let found = f64::from(out[i * columns + j]);
                    let allowed = error_bound(dimensions) * (squared_norm(a) * squared_norm(b)).sqrt();
                    assert!((found - dot(a, b)).abs() <= allowed, "{rows} {columns} {dimensions} {i} {j}");
                }
            }
        }
    }
}
