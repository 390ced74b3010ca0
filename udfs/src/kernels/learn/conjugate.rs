//! Conjugate gradients (Hestenes and Stiefel, 1952).

use super::dense::{add, inner};

/// How a solution was reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Solved {
    /// Number of products with the matrix.
    pub iterations: usize,
    /// Norm of the residual relative to the right-hand side.
    pub residual: f64,
}

/// Solves `A x = b` for a symmetric positive definite `A`, given as a function that multiplies by it. `x` is the starting
/// point and receives the result.
///
/// Stops when the residual is at most `tolerance` times the right-hand side, or after `most` products.
pub fn solve<E>(
    mut product: impl FnMut(&[f64]) -> Result<Vec<f64>, E>,
    b: &[f64],
    x: &mut [f64],
    tolerance: f64,
    most: usize,
) -> Result<Solved, E> {
    let size = inner(b, b).sqrt();
    if size == 0.0 {
        x.fill(0.0);
        return Ok(Solved { iterations: 0, residual: 0.0 });
    }
    let mut residual = b.to_vec();
    let mut iterations = 0;
    if x.iter().any(|x| *x != 0.0) {
        add(&mut residual, -1.0, &product(x)?);
        iterations += 1;
    }
    let mut direction = residual.clone();
    let mut squared = inner(&residual, &residual);
    while iterations < most && squared.sqrt() > tolerance * size {
        let image = product(&direction)?;
        iterations += 1;
        let curvature = inner(&direction, &image);
        if curvature <= 0.0 {
            break;
        }
        let step = squared / curvature;
        add(x, step, &direction);
        add(&mut residual, -step, &image);
        let next = inner(&residual, &residual);
        let turn = next / squared;
        squared = next;
        direction.iter_mut().zip(&residual).for_each(|(d, r)| *d = r + turn * *d);
    }
    Ok(Solved { iterations, residual: squared.sqrt() / size })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn solves_a_known_system() {
        // A = 1 on the diagonal's neighbours, 4 on the diagonal; the solution is known by construction.
        let product = |x: &[f64]| -> Result<Vec<f64>, Infallible> {
            let at = |i: Option<usize>| i.and_then(|i| x.get(i)).copied().unwrap_or_default();
            Ok((0..x.len()).map(|i| 4.0 * x[i] + at(i.checked_sub(1)) + at(Some(i + 1))).collect())
        };
        let truth: Vec<f64> = (0..30).map(|i| f64::from(i % 7) - 3.0).collect();
        let b = product(&truth).unwrap();
        let mut x = vec![0.0; 30];
        let solved = solve(product, &b, &mut x, 1e-12, 100).unwrap();
        assert!(solved.residual <= 1e-12 && solved.iterations <= 30, "{solved:?}");
        assert!(x.iter().zip(&truth).all(|(x, t)| (x - t).abs() < 1e-10));
        let again = solve(product, &b, &mut x, 1e-10, 100).unwrap();
        assert_eq!(again.iterations, 1);
        assert_eq!(solve(product, &[0.0; 30], &mut x, 1e-10, 100).unwrap().iterations, 0);
        assert_eq!(x, [0.0; 30]);
    }
}
