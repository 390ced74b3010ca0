//! The Frechet distance of two normal distributions.

use nalgebra::{DMatrix, SymmetricEigen};

/// A normal distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct Gaussian {
    /// Mean.
    pub mean: Vec<f64>,
    /// Covariance, row by row.
    pub covariance: Vec<f64>,
}

impl Gaussian {
    /// Computes the distribution from `count`, the sums of `x` and the sums of `x_i * x_j` for `i <= j`, row by row. With at
    /// most one row the covariance is zero; otherwise it is the sample covariance (divisor n - 1).
    pub fn from_sums(count: u64, sums: &[f64], products: &[f64]) -> Self {
        let dimensions = sums.len();
        let n = count.max(1) as f64;
        let mean: Vec<f64> = sums.iter().map(|sum| sum / n).collect();
        let mut covariance = vec![0.0; dimensions * dimensions];
        let mut products = products.iter();
        for i in 0..dimensions {
            for j in i..dimensions {
                let product = products.next().copied().unwrap_or_default();
                let value = if count < 2 { 0.0 } else { (product - n * mean[i] * mean[j]) / (n - 1.0) };
                covariance[i * dimensions + j] = value;
                covariance[j * dimensions + i] = value;
            }
        }
        Self { mean, covariance }
    }
}

/// Computes `|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))` (Dowson and Landau 1982), at least 0; O(d^3).
///
/// The trace of the root is the sum of the square roots of the eigenvalues of `R S2 R` with `R = S1^(1/2)`. This matrix is
/// symmetric; eigenvalues below zero can only come from rounding and count as 0.
pub fn frechet_distance(a: &Gaussian, b: &Gaussian) -> f64 {
    let dimensions = a.mean.len();
    if dimensions == 0 {
        return 0.0;
    }
    let shift: f64 = a.mean.iter().zip(&b.mean).map(|(a, b)| (a - b) * (a - b)).sum();
    let first = DMatrix::from_row_slice(dimensions, dimensions, &a.covariance);
    let second = DMatrix::from_row_slice(dimensions, dimensions, &b.covariance);
    let traces = first.trace() + second.trace();
    let eigen = SymmetricEigen::new(first);
    let roots = eigen.eigenvalues.map(|value| value.max(0.0).sqrt());
    let root = &eigen.eigenvectors * DMatrix::from_diagonal(&roots) * eigen.eigenvectors.transpose();
    let product = &root * second * &root;
    let symmetric = (&product + product.transpose()) * 0.5;
    let overlap: f64 = symmetric.symmetric_eigenvalues().iter().map(|value| value.max(0.0).sqrt()).sum();
    (shift + traces - 2.0 * overlap).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaussian(rows: &[[f64; 2]]) -> Gaussian {
        let sum = |f: &dyn Fn(&[f64; 2]) -> f64| rows.iter().map(f).sum::<f64>();
        let sums = [sum(&|r| r[0]), sum(&|r| r[1])];
        let products = [sum(&|r| r[0] * r[0]), sum(&|r| r[0] * r[1]), sum(&|r| r[1] * r[1])];
        Gaussian::from_sums(rows.len() as u64, &sums, &products)
    }

    #[test]
    fn moments_are_those_of_the_sample() {
        let found = gaussian(&[[1.0, 2.0], [3.0, 2.0], [5.0, 8.0]]);
        assert_eq!(found.mean, [3.0, 4.0]);
        assert_eq!(found.covariance, [4.0, 6.0, 6.0, 12.0]);
    }

    #[test]
    fn one_dimension_has_a_closed_form() {
        let of = |mean: f64, deviation: f64| Gaussian { mean: vec![mean], covariance: vec![deviation * deviation] };
        let found = frechet_distance(&of(1.0, 2.0), &of(4.0, 0.5));
        assert!((found - (9.0 + 2.25)).abs() < 1e-12, "{found}");
    }

    #[test]
    fn commuting_covariances_have_a_closed_form() {
        let of = |x: f64, y: f64| Gaussian { mean: vec![0.0; 2], covariance: vec![x * x, 0.0, 0.0, y * y] };
        let found = frechet_distance(&of(3.0, 1.0), &of(1.0, 5.0));
        assert!((found - (4.0 + 16.0)).abs() < 1e-12, "{found}");
        let singular = gaussian(&[[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]);
        assert!(frechet_distance(&singular, &singular) < 1e-12);
    }

    #[test]
    fn the_distance_is_symmetric() {
        let a = gaussian(&[[1.0, 2.0], [3.0, 2.0], [5.0, 8.0], [0.0, 1.0]]);
        let b = gaussian(&[[0.0, 0.0], [1.0, 7.0], [2.0, 1.0]]);
        let (there, back) = (frechet_distance(&a, &b), frechet_distance(&b, &a));
        assert!((there - back).abs() < 1e-10 && there > 0.0, "{there} {back}");
    }
}
