//! Products of small dense matrices of 32-bit floats.
//!
//! Every element of a product is one sum in the order of the inner dimension. Register width, blocking and number of threads
//! never change that order, so all machines compute the same bits.

/// Matrix widths are multiples of this many columns, padded with zeros.
pub const LANES: usize = 16;

/// Rows of the left matrix multiplied at once.
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

/// Computes `out += left * right`. `left` has `rows` x `inner` elements; `right` has `inner` rows and `out` has `rows` rows
/// of `width` values, a multiple of [`LANES`]. `panel` is scratch memory reused between calls.
pub fn add_product(
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
    let right = &right[..inner * width];
    panel.resize(inner, [0.0; ROWS]);
    for (block, out) in out.chunks_mut(ROWS * width).enumerate() {
        let first = block * ROWS;
        let present = (rows - first).min(ROWS);
        for (column, values) in panel.iter_mut().enumerate() {
            for (row, value) in values.iter_mut().enumerate().take(present) {
                *value = left.values[(first + row) * left.row_step + column * left.column_step];
            }
        }
        if present == ROWS { add_block(panel, right, width, out) } else { add_rows(panel, right, width, out) }
    }
}

/// Multiplies [`ROWS`] rows with the widest registers of the processor. No multiply-add is fused, and each element is summed
/// in the order of the panel, so the bits equal those of [`add_rows`]. Intrinsics are explicit because compilers rarely find
/// these instructions on their own.
fn add_block(panel: &[[f32; ROWS]], right: &[f32], width: usize, out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has AVX-512F, as the line above found.
            return unsafe { x86::avx512(panel, right, width, out) };
        }
        if is_x86_feature_detected!("avx") {
            // SAFETY: the processor has AVX, as the line above found.
            return unsafe { x86::avx(panel, right, width, out) };
        }
    }
    add_rows(panel, right, width, out);
}

/// At most [`ROWS`] rows of the product.
fn add_rows(panel: &[[f32; ROWS]], right: &[f32], width: usize, out: &mut [f32]) {
    for (row, out) in out.chunks_exact_mut(width).enumerate() {
        for (values, right) in panel.iter().zip(right.chunks_exact(width)) {
            let value = values[row];
            out.iter_mut().zip(right).for_each(|(sum, right)| *sum += value * right);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm256_add_ps, _mm256_loadu_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_storeu_ps, _mm512_add_ps,
        _mm512_loadu_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_storeu_ps,
    };

    use super::{LANES, ROWS};

    /// Keeps one register of sums per row, over all columns of the panel. `$lanes` divides [`LANES`].
    macro_rules! kernel {
        ($name:ident, $feature:literal, $lanes:literal, $load:ident, $store:ident, $splat:ident, $multiply:ident, $add:ident) => {
            #[target_feature(enable = $feature)]
            pub(super) fn $name(panel: &[[f32; ROWS]], right: &[f32], width: usize, out: &mut [f32]) {
                assert!(out.len() == ROWS * width && right.len() == panel.len() * width && width % LANES == 0);
                let (right, out) = (right.as_ptr(), out.as_mut_ptr());
                for column in (0..width).step_by($lanes) {
                    // SAFETY: `column + $lanes <= width`; `out` has ROWS rows of `width` values and `right` one for each of the panel.
                    unsafe {
                        let rows = [0, 1, 2, 3].map(|row| out.add(row * width + column));
                        let mut sums = [$load(rows[0]), $load(rows[1]), $load(rows[2]), $load(rows[3])];
                        for (at, values) in panel.iter().enumerate() {
                            let right = $load(right.add(at * width + column));
                            sums[0] = $add(sums[0], $multiply($splat(values[0]), right));
                            sums[1] = $add(sums[1], $multiply($splat(values[1]), right));
                            sums[2] = $add(sums[2], $multiply($splat(values[2]), right));
                            sums[3] = $add(sums[3], $multiply($splat(values[3]), right));
                        }
                        $store(rows[0], sums[0]);
                        $store(rows[1], sums[1]);
                        $store(rows[2], sums[2]);
                        $store(rows[3], sums[3]);
                    }
                }
            }
        };
    }

    kernel!(avx512, "avx512f", 16, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_set1_ps, _mm512_mul_ps, _mm512_add_ps);
    kernel!(avx, "avx", 8, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_set1_ps, _mm256_mul_ps, _mm256_add_ps);
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
            #[cfg(target_arch = "x86_64")]
            if rows == ROWS && is_x86_feature_detected!("avx") {
                let panel: Vec<[f32; ROWS]> =
                    (0..inner).map(|column| [0, 1, 2, 3].map(|row| left[row * inner + column])).collect();
                let mut out = vec![0.5; rows * width];
                // SAFETY: the processor has AVX, as the line above found.
                unsafe { x86::avx(&panel, &right, width, &mut out) };
                assert_eq!(out, expected, "AVX");
            }
        }
    }
}
