//! A softmax classifier, linear or with one hidden ReLU layer, trained by stochastic gradient descent on batches of rows.
//!
//! Weights and sums are 32-bit floats. Gradients are added over blocks of [`BLOCK`] rows in order, so results do not depend
//! on threads.

use super::dense::{cross_entropy, softmax};
use super::matrix::{Left, add_product, padded};
use crate::kernels::random::{SplitMix64, unit_interval};

/// Rows multiplied at once.
pub const BLOCK: usize = 256;

/// Smaller steps and errors count as zero, because processors are slow with subnormal numbers.
const LEAST: f32 = 1e-30;

/// Weights of a layer with the state that training keeps about them. Rows are inputs, columns are outputs padded to `width`.
#[derive(Debug, Clone)]
struct Layer {
    inputs: usize,
    width: usize,
    weights: Vec<f32>,
    biases: Vec<f32>,
    velocity: Vec<f32>,
    bias_velocity: Vec<f32>,
    gradient: Vec<f32>,
    bias_gradient: Vec<f32>,
}

impl Layer {
    fn new(inputs: usize, outputs: usize) -> Self {
        let width = padded(outputs);
        let (weights, biases) = (vec![0.0; inputs * width], vec![0.0; width]);
        Self {
            inputs,
            width,
            velocity: weights.clone(),
            gradient: weights.clone(),
            weights,
            bias_velocity: biases.clone(),
            bias_gradient: biases.clone(),
            biases,
        }
    }

    /// Computes `out = input * weights`, without the biases.
    fn forward(&self, input: &[f32], out: &mut Vec<f32>, panel: &mut Vec<[f32; 4]>) {
        let rows = input.len() / self.inputs.max(1);
        out.clear();
        out.resize(rows * self.width, 0.0);
        add_product(Left::rows(input, self.inputs), self.inputs, &self.weights, self.width, out, panel);
    }

    /// Adds the gradient that `errors` imply for `input`.
    fn backward(&mut self, input: &[f32], errors: &[f32], panel: &mut Vec<[f32; 4]>) {
        let rows = errors.len() / self.width;
        add_product(Left::transposed(input, self.inputs), rows, errors, self.width, &mut self.gradient, panel);
        for errors in errors.chunks_exact(self.width) {
            self.bias_gradient.iter_mut().zip(errors).for_each(|(sum, error)| *sum += error);
        }
    }

    fn step(&mut self, step: Step) {
        let weights = self.weights.iter_mut().zip(&mut self.velocity).zip(&mut self.gradient);
        weights.for_each(|((weight, velocity), gradient)| descend(weight, velocity, gradient, step));
        let biases = self.biases.iter_mut().zip(&mut self.bias_velocity).zip(&mut self.bias_gradient);
        biases.for_each(|((bias, velocity), gradient)| descend(bias, velocity, gradient, Step { l2: 0.0, ..step }));
    }
}

#[inline(always)]
fn descend(weight: &mut f32, velocity: &mut f32, gradient: &mut f32, step: Step) {
    let next = step.momentum * *velocity - step.rate * (*gradient + step.l2 * *weight);
    *velocity = if next.abs() < LEAST { 0.0 } else { next };
    *weight += *velocity;
    *gradient = 0.0;
}

/// A network.
#[derive(Debug, Clone)]
pub struct Network {
    hidden: Option<Layer>,
    last: Layer,
    classes: usize,
}

/// The result of a forward pass, reused between passes.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// Input of the last layer, if there is a hidden layer.
    features: Vec<f32>,
    /// `W h` of the last layer, without the bias; padded.
    logits: Vec<f32>,
    /// Class probabilities, padded with zeros.
    probs: Vec<f32>,
    /// Squared norm of the input of the last layer, one value per row.
    pub h_squared: Vec<f32>,
    /// Errors of the last layer, then propagated back to the hidden layer.
    errors: Vec<f32>,
    back: Vec<f32>,
    /// The weights of the last layer, one row per class.
    turned: Vec<f32>,
    row: Vec<f64>,
    panel: Vec<[f32; 4]>,
}

/// Parameters of a training step.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Learning rate.
    pub rate: f32,
    /// Fraction of the previous step that is repeated.
    pub momentum: f32,
    /// Weight of half the squared norm of the weights, excluding biases.
    pub l2: f32,
}

impl Network {
    /// Creates an untrained network. A hidden layer starts with uniform weights of variance 2 / inputs (He et al., 2015), and
    /// the layer above it with variance 1 / hidden. Without a hidden layer, all weights start at zero.
    pub fn new(inputs: usize, hidden: usize, classes: usize, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let mut fill = |layer: &mut Layer, outputs: usize, from: usize, variance: f64| {
            for output in 0..outputs {
                for input in 0..from {
                    let number = (2.0 * unit_interval(random.next_u64()) - 1.0) * (3.0 * variance).sqrt();
                    layer.weights[input * layer.width + output] = number as f32;
                }
            }
        };
        if hidden == 0 {
            return Self { hidden: None, last: Layer::new(inputs, classes), classes };
        }
        let mut first = Layer::new(inputs, hidden);
        fill(&mut first, hidden, inputs, 2.0 / inputs as f64);
        let mut last = Layer::new(first.width, classes);
        fill(&mut last, classes, hidden, 1.0 / hidden as f64);
        Self { hidden: Some(first), last, classes }
    }

    /// Bytes that a network of that shape takes, including buffers for a block of rows.
    pub fn bytes(inputs: usize, hidden: usize, classes: usize) -> usize {
        let (wide, out) = (padded(hidden), padded(classes));
        let last = if hidden > 0 { wide } else { inputs };
        let weights = 3 * (wide * (inputs + 1) + out * (last + 1)) + out * last;
        size_of::<f32>() * (weights + BLOCK * (inputs + 2 * wide + 3 * out) + 4 * inputs.max(BLOCK))
    }

    /// Norm of the weights of the last layer, excluding the bias.
    pub fn last_norm(&self) -> f64 {
        self.last.weights.iter().map(|weight| f64::from(*weight) * f64::from(*weight)).sum::<f64>().sqrt()
    }

    /// Predicts the classes of at most [`BLOCK`] rows, which are concatenated in `input`.
    pub fn forward(&self, input: &[f32], out: &mut Output) {
        let Output { features, logits, probs, h_squared, panel, row, .. } = out;
        let below = match &self.hidden {
            Some(layer) => {
                layer.forward(input, features, panel);
                for features in features.chunks_exact_mut(layer.width) {
                    features.iter_mut().zip(&layer.biases).for_each(|(value, bias)| *value = (*value + bias).max(0.0));
                }
                features.as_slice()
            }
            None => input,
        };
        let squares = |values: &[f32]| values.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>();
        h_squared.clear();
        h_squared.extend(below.chunks_exact(self.last.inputs).map(|values| squares(values) as f32));
        self.last.forward(below, logits, panel);
        probs.clear();
        for logits in logits.chunks_exact(self.last.width) {
            row.clear();
            let sums = logits.iter().zip(&self.last.biases).take(self.classes);
            row.extend(sums.map(|(logit, bias)| f64::from(*logit) + f64::from(*bias)));
            softmax(row);
            probs.extend(row.iter().map(|value| *value as f32));
            probs.resize(probs.len() + self.last.width - self.classes, 0.0);
        }
    }

    /// Adds the gradient of the cross-entropy of the rows, divided by `batch`. Must follow [`Self::forward`] with the same
    /// input.
    pub fn backward(&mut self, input: &[f32], labels: &[usize], batch: usize, out: &mut Output) {
        let Output { features, probs, errors, back, turned, panel, .. } = out;
        let (width, share) = (self.last.width, 1.0 / batch as f32);
        errors.clear();
        for (probs, label) in probs.chunks_exact(width).zip(labels) {
            let start = errors.len();
            errors.extend_from_slice(probs);
            errors[start + label] -= 1.0;
            errors[start..].iter_mut().for_each(|error| {
                *error *= share;
                if error.abs() < LEAST {
                    *error = 0.0;
                }
            });
        }
        let Some(layer) = &mut self.hidden else {
            self.last.backward(input, errors, panel);
            return;
        };
        // The errors of the hidden units: errors * transposed weights.
        turned.clear();
        turned.resize(self.last.weights.len(), 0.0);
        for (unit, weights) in self.last.weights.chunks_exact(width).enumerate() {
            weights.iter().enumerate().for_each(|(class, weight)| turned[class * layer.width + unit] = *weight);
        }
        back.clear();
        back.resize(labels.len() * layer.width, 0.0);
        add_product(Left::rows(errors, width), self.classes, turned, layer.width, back, panel);
        back.iter_mut().zip(&*features).for_each(|(error, feature)| *error = if *feature > 0.0 { *error } else { 0.0 });
        self.last.backward(features, errors, panel);
        layer.backward(input, back, panel);
    }

    /// Takes a step along the accumulated gradient and clears it.
    pub fn step(&mut self, step: Step) {
        if let Some(layer) = &mut self.hidden {
            layer.step(step);
        }
        self.last.step(step);
    }

    /// Whether every weight is finite.
    pub fn is_finite(&self) -> bool {
        let layers = self.hidden.iter().chain([&self.last]);
        layers.flat_map(|layer| layer.weights.iter().chain(&layer.biases)).all(|weight| weight.is_finite())
    }

    /// The probabilities of each row of a forward pass.
    pub fn probs<'a>(&self, out: &'a Output) -> impl Iterator<Item = &'a [f32]> {
        let classes = self.classes;
        out.probs.chunks_exact(self.last.width).map(move |row| &row[..classes])
    }

    /// The logits of each row of a forward pass, without the bias.
    pub fn logits<'a>(&self, out: &'a Output) -> impl Iterator<Item = &'a [f32]> {
        let classes = self.classes;
        out.logits.chunks_exact(self.last.width).map(move |row| &row[..classes])
    }

    /// The loss of a row, for tests of the gradient.
    pub fn loss(&self, input: &[f32], label: usize) -> f64 {
        let mut out = Output::default();
        self.forward(input, &mut out);
        let logits = out.logits.iter().zip(&self.last.biases).take(self.classes);
        let logits: Vec<f64> = logits.map(|(logit, bias)| f64::from(*logit) + f64::from(*bias)).collect();
        cross_entropy(&logits, label)
    }
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
