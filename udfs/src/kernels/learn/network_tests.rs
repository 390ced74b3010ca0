//! Tests networks against plain loops in 64 bits.

use super::*;

/// The same network as plain 64-bit loops over rows. Each unit has its weights, then its bias.
struct Plain {
    hidden: Vec<(Vec<f64>, f64)>,
    last: Vec<(Vec<f64>, f64)>,
}

impl Plain {
    fn of(network: &Network, hidden: usize) -> Self {
        let units = |layer: &Layer, inputs: usize, outputs: usize| {
            let weights =
                |output: usize| (0..inputs).map(move |input| f64::from(layer.weights[input * layer.width + output]));
            (0..outputs).map(|output| (weights(output).collect(), f64::from(layer.biases[output]))).collect()
        };
        let first = network.hidden.as_ref();
        let inputs = first.map_or(network.last.inputs, |_| hidden);
        Self {
            hidden: first.map_or_else(Vec::new, |layer| units(layer, layer.inputs, hidden)),
            last: units(&network.last, inputs, network.classes),
        }
    }

    fn features(&self, input: &[f64]) -> Vec<f64> {
        if self.hidden.is_empty() {
            return input.to_vec();
        }
        let product = |weights: &[f64]| weights.iter().zip(input).map(|(w, x)| w * x).sum::<f64>();
        self.hidden.iter().map(|(weights, bias)| (product(weights) + bias).max(0.0)).collect()
    }

    fn probs(&self, features: &[f64]) -> Vec<f64> {
        let product = |weights: &[f64]| weights.iter().zip(features).map(|(w, x)| w * x).sum::<f64>();
        let mut probs: Vec<f64> = self.last.iter().map(|(weights, bias)| product(weights) + bias).collect();
        softmax(&mut probs);
        probs
    }

    /// Takes one step without momentum on all rows.
    fn step(&mut self, rows: &[(Vec<f64>, usize)], rate: f64) {
        let zero = |units: &[(Vec<f64>, f64)]| units.iter().map(|(w, _)| (vec![0.0; w.len()], 0.0)).collect::<Vec<_>>();
        let (mut lower, mut upper) = (zero(&self.hidden), zero(&self.last));
        for (input, label) in rows {
            let features = self.features(input);
            let probs = self.probs(&features);
            let errors: Vec<f64> =
                probs.iter().enumerate().map(|(c, p)| p - f64::from(u8::from(c == *label))).collect();
            for (unit, error) in upper.iter_mut().zip(&errors) {
                unit.0.iter_mut().zip(&features).for_each(|(sum, x)| *sum += error * x);
                unit.1 += error;
            }
            for (at, unit) in lower.iter_mut().enumerate().filter(|(at, _)| features[*at] > 0.0) {
                let error: f64 = self.last.iter().zip(&errors).map(|((weights, _), error)| weights[at] * error).sum();
                unit.0.iter_mut().zip(input).for_each(|(sum, x)| *sum += error * x);
                unit.1 += error;
            }
        }
        let scale = rate / rows.len() as f64;
        for (unit, sum) in self.hidden.iter_mut().zip(&lower).chain(self.last.iter_mut().zip(&upper)) {
            unit.0.iter_mut().zip(&sum.0).for_each(|(weight, sum)| *weight -= scale * sum);
            unit.1 -= scale * sum.1;
        }
    }
}

fn rows(count: usize, inputs: usize, classes: usize) -> Vec<(Vec<f32>, usize)> {
    let mut random = SplitMix64::new(2);
    (0..count)
        .map(|at| ((0..inputs).map(|_| unit_interval(random.next_u64()) as f32 - 0.5).collect(), at % classes))
        .collect()
}

#[test]
fn training_is_that_of_a_plain_loop() {
    for (inputs, hidden, classes) in [(5, 0, 3), (9, 7, 4), (33, 20, 18)] {
        let rows = rows(40, inputs, classes);
        let wide: Vec<(Vec<f64>, usize)> =
            rows.iter().map(|(input, label)| (input.iter().map(|x| f64::from(*x)).collect(), *label)).collect();
        let flat: Vec<f32> = rows.iter().flat_map(|(input, _)| input.clone()).collect();
        let labels: Vec<usize> = rows.iter().map(|(_, label)| *label).collect();
        let mut network = Network::new(inputs, hidden, classes, 1);
        let mut plain = Plain::of(&network, hidden);
        let mut out = Output::default();
        for _ in 0..30 {
            network.forward(&flat, &mut out);
            network.backward(&flat, &labels, rows.len(), &mut out);
            network.step(Step { rate: 0.2, momentum: 0.0, l2: 0.0 });
            plain.step(&wide, 0.2);
        }
        network.forward(&flat, &mut out);
        for ((found, (input, _)), squared) in network.probs(&out).zip(&wide).zip(&out.h_squared) {
            let features = plain.features(input);
            assert!((features.iter().map(|x| x * x).sum::<f64>() - f64::from(*squared)).abs() < 1e-4);
            for (found, expected) in found.iter().zip(plain.probs(&features)) {
                assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} {expected}");
            }
        }
    }
}

#[test]
fn the_gradient_is_that_of_the_loss() {
    for hidden in [0, 7] {
        let mut network = Network::new(5, hidden, 3, 1);
        let mut random = SplitMix64::new(2);
        network.last.weights.chunks_exact_mut(16).for_each(|row| {
            row[..3].iter_mut().for_each(|w| *w += unit_interval(random.next_u64()) as f32 - 0.5);
        });
        let input: Vec<f32> = (0..5).map(|_| unit_interval(random.next_u64()) as f32).collect();
        let mut out = Output::default();
        network.forward(&input, &mut out);
        network.backward(&input, &[1], 1, &mut out);
        let gradient = network.last.gradient.clone();
        for at in (0..gradient.len()).filter(|at| at % 16 < 3) {
            let (mut up, mut down) = (network.clone(), network.clone());
            up.last.weights[at] += 1e-2;
            down.last.weights[at] -= 1e-2;
            let twin = (up.loss(&input, 1) - down.loss(&input, 1)) / 2e-2;
            assert!((f64::from(gradient[at]) - twin).abs() < 1e-4, "{hidden} {at}");
        }
    }
}

#[test]
fn learns_what_is_not_linear() {
    let input = [0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0];
    let labels = [0, 0, 1, 1];
    let mut network = Network::new(2, 16, 2, 3);
    let mut out = Output::default();
    for _ in 0..500 {
        network.forward(&input, &mut out);
        network.backward(&input, &labels, 4, &mut out);
        network.step(Step { rate: 0.2, momentum: 0.9, l2: 0.0 });
    }
    assert!(network.is_finite());
    network.forward(&input, &mut out);
    assert!(network.probs(&out).zip(labels).all(|(probs, label)| probs[label] > 0.9), "{out:?}");
}
