//! Dense products of 64-bit weights and 32-bit inputs.

/// Partial sums kept side by side, so that the compiler can vectorise and every machine adds in the same order.
const LANES: usize = 8;

/// Inner product of weights and an input.
#[inline]
pub fn dot(weights: &[f64], input: &[f32]) -> f64 {
    let (w, x) = (weights.chunks_exact(LANES), input.chunks_exact(LANES));
    let rest: f64 = w.remainder().iter().zip(x.remainder()).map(|(w, x)| w * f64::from(*x)).sum();
    let mut sums = [0.0; LANES];
    for (w, x) in w.zip(x) {
        for lane in 0..LANES {
            sums[lane] += w[lane] * f64::from(x[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// Inner product of two vectors.
#[inline]
pub fn inner(a: &[f64], b: &[f64]) -> f64 {
    let (x, y) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = x.remainder().iter().zip(y.remainder()).map(|(x, y)| x * y).sum();
    let mut sums = [0.0; LANES];
    for (x, y) in x.zip(y) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// `sum += factor * input`.
#[inline]
pub fn add_scaled(sum: &mut [f64], factor: f64, input: &[f32]) {
    sum.iter_mut().zip(input).for_each(|(sum, x)| *sum += factor * f64::from(*x));
}

/// `sum += factor * vector`.
#[inline]
pub fn add(sum: &mut [f64], factor: f64, vector: &[f64]) {
    sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += factor * x);
}

/// Softmax of finite logits in place.
pub fn softmax(logits: &mut [f64]) {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for value in logits.iter_mut() {
        *value = libm::exp(*value - top);
        sum += *value;
    }
    logits.iter_mut().for_each(|value| *value /= sum);
}

/// Cross-entropy of a label from logits.
pub fn cross_entropy(logits: &[f64], label: usize) -> f64 {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|value| libm::exp(value - top)).sum();
    top + libm::log(sum) - logits[label]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_equal_their_definitions() {
        for length in [0_usize, 3, 8, 21] {
            let a: Vec<f64> = (0..length).map(|i| i as f64 - 4.0).collect();
            let x: Vec<f32> = (0..length).map(|i| 0.5 * i as f32).collect();
            let twin: f64 = a.iter().zip(&x).map(|(a, x)| a * f64::from(*x)).sum();
            assert!((dot(&a, &x) - twin).abs() < 1e-9);
            let b: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
            assert!((inner(&a, &b) - twin).abs() < 1e-9);
        }
        let mut p = [1.0, 2.0, 3.0];
        let loss = cross_entropy(&p, 1);
        softmax(&mut p);
        assert!((loss + p[1].ln()).abs() < 1e-12);
    }
}
