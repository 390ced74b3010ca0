//! The plane along which vectors vary most: their first two principal components.

use nalgebra::{DMatrix, SymmetricEigen};

use crate::kernels::random::{SplitMix64, unit_interval};

/// Number of directions that are iterated. Having more than two makes the first two converge quickly.
const WIDTH: usize = 8;

/// Number of multiplications by the covariance.
const ROUNDS: usize = 24;

/// A plane through the mean of vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    mean: Vec<f64>,
    axes: [Vec<f64>; 2],
}

impl Plane {
    /// Fits the plane to rows of `dimensions` values each: the two leading eigenvectors of their covariance, by subspace
    /// iteration (Halko, Martinsson and Tropp, Finding structure with randomness, 2011, section 4.5). The largest value of
    /// each axis is positive. O(rows * dimensions * 400); sums are taken in the order of the rows.
    pub fn of(rows: &[f32], dimensions: usize) -> Self {
        let dimensions = dimensions.max(1);
        let count = (rows.len() / dimensions).max(1) as f64;
        let mut mean = vec![0.0; dimensions];
        for row in rows.chunks_exact(dimensions) {
            mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value) / count);
        }
        let width = WIDTH.min(dimensions);
        let mut random = SplitMix64::new(1);
        let mut basis: Vec<Vec<f64>> =
            (0..width).map(|_| (0..dimensions).map(|_| unit_interval(random.next_u64()) - 0.5).collect()).collect();
        orthonormalise(&mut basis);
        for _ in 0..ROUNDS {
            basis = times_covariance(rows, &mean, &basis);
            orthonormalise(&mut basis);
        }
        let turned = times_covariance(rows, &mean, &basis);
        let small =
            DMatrix::from_fn(width, width, |i, j| (dot(&basis[i], &turned[j]) + dot(&basis[j], &turned[i])) / 2.0);
        let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(small);
        let mut order: Vec<usize> = (0..width).collect();
        order.sort_by(|a, b| eigenvalues[*b].total_cmp(&eigenvalues[*a]).then(a.cmp(b)));
        let axis = |number: usize| {
            let mut axis = vec![0.0; dimensions];
            let Some(&column) = order.get(number) else { return axis };
            for (at, direction) in basis.iter().enumerate() {
                let weight = eigenvectors[(at, column)];
                axis.iter_mut().zip(direction).for_each(|(sum, value)| *sum += weight * value);
            }
            let largest = axis.iter().copied().fold(0.0, |most: f64, x| if x.abs() > most.abs() { x } else { most });
            if largest < 0.0 {
                axis.iter_mut().for_each(|x| *x = -*x);
            }
            axis
        };
        let axes = [axis(0), axis(1)];
        Self { mean, axes }
    }

    /// The coordinates on the plane of a vector times `scale`.
    pub fn place(&self, vector: &[f32], scale: f64) -> [f64; 2] {
        let mut place = [0.0; 2];
        for (axis, sum) in self.axes.iter().zip(&mut place) {
            let terms = vector.iter().zip(&self.mean).zip(axis);
            *sum = terms.map(|((value, mean), axis)| (f64::from(*value) * scale - mean) * axis).sum();
        }
        place
    }
}

/// Multiplies each of `basis` by the covariance times the number of rows.
fn times_covariance(rows: &[f32], mean: &[f64], basis: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut out = vec![vec![0.0; mean.len()]; basis.len()];
    let mut centred = vec![0.0; mean.len()];
    for row in rows.chunks_exact(mean.len()) {
        for ((centred, value), mean) in centred.iter_mut().zip(row).zip(mean) {
            *centred = f64::from(*value) - mean;
        }
        for (direction, out) in basis.iter().zip(&mut out) {
            let along = dot(&centred, direction);
            out.iter_mut().zip(&centred).for_each(|(sum, value)| *sum += along * value);
        }
    }
    out
}

/// Gram-Schmidt, applied twice; directions that vanish become zero.
fn orthonormalise(basis: &mut [Vec<f64>]) {
    for at in 0..basis.len() {
        let (before, rest) = basis.split_at_mut(at);
        let direction = &mut rest[0];
        let first = dot(direction, direction).sqrt();
        for _ in 0..2 {
            for earlier in &*before {
                let along = dot(direction, earlier);
                direction.iter_mut().zip(earlier).for_each(|(value, earlier)| *value -= along * earlier);
            }
        }
        let length = dot(direction, direction).sqrt();
        let scale = if length > 1e-12 * first { 1.0 / length } else { 0.0 };
        direction.iter_mut().for_each(|value| *value *= scale);
    }
}

/// Dot product with eight partial sums, so that the compiler can use vector registers; added up in a fixed order.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a_chunks, a_rest) = a.as_chunks::<8>();
    let (b_chunks, b_rest) = b.as_chunks::<8>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axes_are_the_leading_eigenvectors() {
        let (rows, dimensions) = (500, 12);
        let mut random = SplitMix64::new(9);
        let mut values = vec![];
        for _ in 0..rows {
            for column in 0..dimensions {
                let spread = [9.0, 5.0, 1.0][column.min(2)];
                values.push(((unit_interval(random.next_u64()) - 0.5) * spread + column as f64) as f32);
            }
        }
        let plane = Plane::of(&values, dimensions);
        let data = DMatrix::from_row_iterator(rows, dimensions, values.iter().map(|x| f64::from(*x)));
        let mean = data.row_mean();
        let centred = DMatrix::from_fn(rows, dimensions, |i, j| data[(i, j)] - mean[j]);
        let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(centred.transpose() * &centred);
        let mut order: Vec<usize> = (0..dimensions).collect();
        order.sort_by(|a, b| eigenvalues[*b].total_cmp(&eigenvalues[*a]));
        for (axis, column) in plane.axes.iter().zip(order) {
            let along: f64 = axis.iter().zip(eigenvectors.column(column).iter()).map(|(a, b)| a * b).sum();
            assert!(along.abs() > 1.0 - 1e-9, "{along}");
            assert!(axis.iter().copied().fold(0.0, |m: f64, x| if x.abs() > m.abs() { x } else { m }) > 0.0);
        }
        let own = plane.place(&values[..dimensions], 1.0);
        let expected: f64 = (0..dimensions).map(|j| centred[(0, j)] * plane.axes[0][j]).sum();
        assert!((own[0] - expected).abs() < 1e-6);
    }

    #[test]
    fn few_rows_and_dimensions_have_a_plane_too() {
        assert_eq!(Plane::of(&[], 3).place(&[1.0, 2.0, 3.0], 1.0).map(f64::is_finite), [true, true]);
        assert_eq!(Plane::of(&[1.0, 3.0], 1).place(&[3.0], 1.0), [1.0, 0.0]);
        let same = Plane::of(&[1.0, 1.0, 1.0, 1.0], 2);
        assert_eq!(same.place(&[1.0, 1.0], 1.0), [0.0, 0.0]);
    }
}
