//! Scores derived in closed form from the gradient of the cross-entropy of a softmax layer.
//!
//! With `e = p - y`, the gradient of the layer's weights is `e h^T` and that of its bias `e`. Their norms and inner products
//! with the weights can be computed without storing a gradient.

/// Squared norm of `p - y`, the error vector of a prediction.
fn error_squared(probs: &[f64], label: usize) -> f64 {
    let squares =
        probs.iter().enumerate().map(|(class, &p)| if class == label { (p - 1.0) * (p - 1.0) } else { p * p });
    squares.sum()
}

/// EL2N: the norm of the error vector (Paul, Ganguli and Dziugaite, Deep learning on a data diet, 2021).
pub fn el2n(probs: &[f64], label: usize) -> f64 {
    error_squared(probs, label).sqrt()
}

/// How far the value of the label exceeds the best of the other classes. Requires at least two classes.
pub fn margin(values: &[f64], label: usize) -> f64 {
    let others = values.iter().enumerate().filter(|(class, _)| *class != label).map(|(_, &value)| value);
    values[label] - others.fold(f64::NEG_INFINITY, f64::max)
}

/// GraNd of the last layer: the norm of its gradient, computed from the squared norm of its input.
pub fn grand(probs: &[f64], label: usize, h_squared: f64, bias: bool) -> f64 {
    (error_squared(probs, label) * (h_squared + if bias { 1.0 } else { 0.0 })).sqrt()
}

/// The effect of one gradient step on the norm of the last layer's weights: by how much it falls (DON), and the norm of the
/// change (NOD). `logits` exclude the bias; `norm` is the Frobenius norm of the weights.
pub fn weight_delta(logits: &[f64], probs: &[f64], label: usize, h_squared: f64, norm: f64, rate: f64) -> (f64, f64) {
    let along: f64 = logits.iter().zip(probs).map(|(z, p)| z * p).sum::<f64>() - logits[label];
    let change = rate * (error_squared(probs, label) * h_squared).sqrt();
    // ||W|| - ||W'|| as a quotient with the difference of squares, which avoids cancellation.
    let fall = 2.0 * rate * along - change * change;
    let after = (norm * norm - fall).max(0.0).sqrt();
    let don = if norm + after > 0.0 { fall / (norm + after) } else { 0.0 };
    (don, change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::random::{SplitMix64, unit_interval};
    use crate::kernels::scores::probability::softmax;

    /// A layer of 4 classes on 6 features, its input, logits without the bias, and probabilities.
    struct Layer {
        weights: [[f64; 6]; 4],
        input: [f64; 6],
        logits: [f64; 4],
        probs: [f64; 4],
    }

    fn layer(random: &mut SplitMix64) -> Layer {
        let mut number = || 4.0 * unit_interval(random.next_u64()) - 2.0;
        let weights = std::array::from_fn(|_| std::array::from_fn(|_| number()));
        let input: [f64; 6] = std::array::from_fn(|_| number());
        let logits: [f64; 4] =
            std::array::from_fn(|c: usize| -> f64 { (0..6).map(|f| row(&weights, c)[f] * input[f]).sum() });
        let mut probs: [f64; 4] = std::array::from_fn(|c| logits[c] + number());
        softmax(&mut probs, 1.0).unwrap();
        Layer { weights, input, logits, probs }
    }

    fn row(weights: &[[f64; 6]; 4], class: usize) -> &[f64; 6] {
        &weights[class]
    }

    fn norm(values: impl Iterator<Item = f64>) -> f64 {
        values.map(|value| value * value).sum::<f64>().sqrt()
    }

    #[test]
    fn closed_forms_equal_explicit_gradients() {
        let mut random = SplitMix64::new(3);
        for round in 0..200 {
            let Layer { weights, input, logits, probs } = layer(&mut random);
            let (label, rate) = (round % 4, 0.05);
            let error: [f64; 4] = std::array::from_fn(|c| probs[c] - if c == label { 1.0 } else { 0.0 });
            let gradient: Vec<f64> = error.iter().flat_map(|e| input.map(|x| e * x)).collect();
            let flat: Vec<f64> = weights.iter().flatten().copied().collect();
            let h_squared = norm(input.into_iter()).powi(2);
            assert!((el2n(&probs, label) - norm(error.into_iter())).abs() < 1e-12);
            assert!((grand(&probs, label, h_squared, false) - norm(gradient.iter().copied())).abs() < 1e-12);
            let with_bias = norm(gradient.iter().copied().chain(error));
            assert!((grand(&probs, label, h_squared, true) - with_bias).abs() < 1e-12);
            let before = norm(flat.iter().copied());
            let after = norm(flat.iter().zip(&gradient).map(|(w, g)| w - rate * g));
            let moved = norm(gradient.iter().map(|g| rate * g));
            let (don, nod) = weight_delta(&logits, &probs, label, h_squared, before, rate);
            assert!((don - (before - after)).abs() < 1e-12, "{don} {}", before - after);
            assert!((nod - moved).abs() < 1e-12);
        }
    }

    #[test]
    fn the_gradient_of_a_layer_with_bias_is_a_product_of_two_inner_products() {
        // TracIn between two rows: <grad, grad'> = (e . e')(1 + h . h').
        let mut random = SplitMix64::new(4);
        let (a, b) = (layer(&mut random), layer(&mut random));
        let error =
            |layer: &Layer| -> [f64; 4] { std::array::from_fn(|c| layer.probs[c] - if c == 1 { 1.0 } else { 0.0 }) };
        let (e, f) = (error(&a), error(&b));
        let dot = |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(x, y)| x * y).sum() };
        let gradient = |e: &[f64; 4], h: &[f64; 6]| -> Vec<f64> {
            e.iter().flat_map(|e| h.iter().copied().chain([1.0]).map(move |x| e * x)).collect()
        };
        let explicit = dot(&gradient(&e, &a.input), &gradient(&f, &b.input));
        assert!((explicit - dot(&e, &f) * (1.0 + dot(&a.input, &b.input))).abs() < 1e-12);
        // With itself it is the square of GraNd.
        let own = dot(&gradient(&e, &a.input), &gradient(&e, &a.input));
        assert!((own - grand(&a.probs, 1, dot(&a.input, &a.input), true).powi(2)).abs() < 1e-12);
    }

    #[test]
    fn margins_compare_with_the_best_other_class() {
        assert_eq!(margin(&[0.5, 0.25, 0.25], 0), 0.25);
        assert_eq!(margin(&[0.5, 0.25, 0.25], 2), -0.25);
    }
}
