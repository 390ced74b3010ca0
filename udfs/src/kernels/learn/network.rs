//! A softmax classifier, linear or with one hidden ReLU layer, trained by stochastic gradient descent.

use super::dense::{add_scaled, cross_entropy, dot, inner, softmax};
use crate::kernels::random::{SplitMix64, unit_interval};

/// Weights of all layers and what training must remember of them.
#[derive(Debug, Clone)]
pub struct Network {
    inputs: usize,
    hidden: usize,
    classes: usize,
    /// Hidden weights (row a unit) and biases, then output weights (row a class) and biases.
    weights: Vec<f64>,
    velocity: Vec<f64>,
    gradient: Vec<f64>,
}

/// What a forward pass yields; kept between rows.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// Input of the last layer; empty where that is the network's own.
    pub features: Vec<f64>,
    /// `W h` of the last layer, without the bias.
    pub logits: Vec<f64>,
    /// Class probabilities.
    pub probs: Vec<f64>,
    /// Squared norm of the input of the last layer.
    pub h_squared: f64,
    /// Errors on their way back to the hidden layer.
    back: Vec<f64>,
}

/// How a step is taken.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Learning rate.
    pub rate: f64,
    /// Share of the last step that is repeated.
    pub momentum: f64,
    /// Weight of half the squared norm of the weights, biases left out.
    pub l2: f64,
}

impl Network {
    /// An untrained network. A hidden layer starts from uniform weights of variance 2 / inputs (He et al., 2015); what has no
    /// hidden layer, and the last layer, start at zero and 1 / hidden.
    pub fn new(inputs: usize, hidden: usize, classes: usize, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let mut uniform = |variance: f64| (2.0 * unit_interval(random.next_u64()) - 1.0) * (3.0 * variance).sqrt();
        let mut weights = vec![];
        if hidden > 0 {
            weights.extend((0..hidden * inputs).map(|_| uniform(2.0 / inputs as f64)));
            weights.extend(std::iter::repeat_n(0.0, hidden));
            weights.extend((0..classes * hidden).map(|_| uniform(1.0 / hidden as f64)));
            weights.extend(std::iter::repeat_n(0.0, classes));
        } else {
            weights.resize(classes * inputs + classes, 0.0);
        }
        let size = weights.len();
        Self { inputs, hidden, classes, weights, velocity: vec![0.0; size], gradient: vec![0.0; size] }
    }

    /// Bytes a network of that shape takes.
    pub fn bytes(inputs: usize, hidden: usize, classes: usize) -> usize {
        let last = if hidden > 0 { hidden } else { inputs };
        3 * size_of::<f64>() * (hidden * (inputs + 1) + classes * (last + 1))
    }

    /// Where the last layer begins, and the length of its rows.
    fn last(&self) -> (usize, usize) {
        if self.hidden > 0 { (self.hidden * (self.inputs + 1), self.hidden) } else { (0, self.inputs) }
    }

    /// Norm of the weights of the last layer, its bias left out.
    pub fn last_norm(&self) -> f64 {
        let (start, width) = self.last();
        let weights = &self.weights[start..start + self.classes * width];
        inner(weights, weights).sqrt()
    }

    /// Predicts the classes of `input`.
    pub fn forward(&self, input: &[f32], out: &mut Output) {
        let (start, width) = self.last();
        let last = &self.weights[start..];
        out.features.clear();
        out.logits.clear();
        if self.hidden > 0 {
            let biases = &self.weights[self.hidden * self.inputs..start];
            let rows = self.weights.chunks_exact(self.inputs).zip(biases);
            out.features.extend(rows.map(|(row, bias)| (dot(row, input) + bias).max(0.0)));
            out.h_squared = inner(&out.features, &out.features);
            out.logits.extend(last.chunks_exact(width).take(self.classes).map(|row| inner(row, &out.features)));
        } else {
            out.h_squared = input.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
            out.logits.extend(last.chunks_exact(width).take(self.classes).map(|row| dot(row, input)));
        }
        let biases = &last[self.classes * width..];
        out.probs.clear();
        out.probs.extend(out.logits.iter().zip(biases).map(|(logit, bias)| logit + bias));
        softmax(&mut out.probs);
    }

    /// Adds the gradient of a row's cross-entropy, divided by `batch`, after [`Self::forward`] of the same input.
    pub fn backward(&mut self, input: &[f32], label: usize, batch: usize, out: &mut Output) {
        let (start, width) = self.last();
        let (lower, upper) = self.gradient.split_at_mut(start);
        let (rows, biases) = upper.split_at_mut(self.classes * width);
        let Output { features, probs, back, .. } = out;
        back.clear();
        back.resize(self.hidden, 0.0);
        for class in 0..self.classes {
            let error = (probs[class] - if class == label { 1.0 } else { 0.0 }) / batch as f64;
            let row = &mut rows[class * width..(class + 1) * width];
            biases[class] += error;
            if self.hidden > 0 {
                super::dense::add(row, error, features);
                let weights = &self.weights[start + class * width..start + (class + 1) * width];
                super::dense::add(back, error, weights);
            } else {
                add_scaled(row, error, input);
            }
        }
        let (rows, biases) = lower.split_at_mut(self.hidden * self.inputs);
        for unit in (0..self.hidden).filter(|unit| features[*unit] > 0.0) {
            biases[unit] += back[unit];
            add_scaled(&mut rows[unit * self.inputs..(unit + 1) * self.inputs], back[unit], input);
        }
    }

    /// Takes a step along the gradient that was added up, and clears it.
    pub fn step(&mut self, step: Step) {
        let (start, width) = self.last();
        let hidden_weights = 0..self.hidden * self.inputs;
        let last_weights = start..start + self.classes * width;
        for at in 0..self.weights.len() {
            let decays = hidden_weights.contains(&at) || last_weights.contains(&at);
            let pull = if decays { step.l2 * self.weights[at] } else { 0.0 };
            self.velocity[at] = step.momentum * self.velocity[at] - step.rate * (self.gradient[at] + pull);
            self.weights[at] += self.velocity[at];
        }
        self.gradient.fill(0.0);
    }

    /// Whether every weight is a number.
    pub fn is_finite(&self) -> bool {
        self.weights.iter().all(|weight| weight.is_finite())
    }

    /// The loss of a row, for tests of the gradient.
    pub fn loss(&self, input: &[f32], label: usize) -> f64 {
        let mut out = Output::default();
        self.forward(input, &mut out);
        let (start, width) = self.last();
        let biases = &self.weights[start + self.classes * width..];
        let logits: Vec<f64> = out.logits.iter().zip(biases).map(|(logit, bias)| logit + bias).collect();
        cross_entropy(&logits, label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        for hidden in [0, 7] {
            let mut network = Network::new(5, hidden, 3, 1);
            let mut random = SplitMix64::new(2);
            network.weights.iter_mut().for_each(|w| *w += unit_interval(random.next_u64()) - 0.5);
            let input: Vec<f32> = (0..5).map(|_| unit_interval(random.next_u64()) as f32).collect();
            let mut out = Output::default();
            network.forward(&input, &mut out);
            network.backward(&input, 1, 1, &mut out);
            for at in 0..network.weights.len() {
                let (mut up, mut down) = (network.clone(), network.clone());
                up.weights[at] += 1e-6;
                down.weights[at] -= 1e-6;
                let twin = (up.loss(&input, 1) - down.loss(&input, 1)) / 2e-6;
                assert!((network.gradient[at] - twin).abs() < 1e-7, "{hidden} {at}");
            }
        }
    }

    #[test]
    fn learns_what_is_not_linear() {
        let rows: [([f32; 2], usize); 4] = [([0.0, 0.0], 0), ([1.0, 1.0], 0), ([0.0, 1.0], 1), ([1.0, 0.0], 1)];
        let mut network = Network::new(2, 16, 2, 3);
        let mut out = Output::default();
        for _ in 0..500 {
            for (input, label) in &rows {
                network.forward(input, &mut out);
                network.backward(input, *label, 4, &mut out);
            }
            network.step(Step { rate: 0.2, momentum: 0.9, l2: 0.0 });
        }
        assert!(network.is_finite());
        for (input, label) in &rows {
            network.forward(input, &mut out);
            assert!(out.probs[*label] > 0.9, "{out:?}");
        }
    }
}
