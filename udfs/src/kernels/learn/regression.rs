//! Multinomial logistic regression without a bias: gradient, Hessian and optimum of `mean cross-entropy + l2 / 2 |W|^2` over
//! shards of rows.
//!
//! Weights have one row of `inputs` numbers per class. The objective is convex and has a single optimum if `l2` is above 0.

use std::ops::Range;

use super::conjugate;
use super::dense::{add, add_scaled, cross_entropy, dot, inner, softmax};

/// The rows of a training set. `visit` calls its argument with input and label of each row in a range.
pub trait Rows<E>: Sync {
    /// Number of rows.
    fn len(&self) -> usize;

    /// Whether there are no rows.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Visits the rows of `range` in order.
    fn visit(&self, range: Range<usize>, each: &mut dyn FnMut(&[f32], usize)) -> Result<(), E>;
}

/// Number of shards into which rows are divided, whatever the number of threads, so that sums are the same on all machines.
pub const SHARDS: usize = 16;

/// Shape and penalty of a regression, and the number of threads.
#[derive(Debug, Clone, Copy)]
pub struct Regression {
    /// Values per input.
    pub inputs: usize,
    /// Number of classes.
    pub classes: usize,
    /// Weight of half the squared norm of the weights.
    pub l2: f64,
    /// Maximum number of threads.
    pub threads: usize,
}

/// Sums, shard by shard, what `add` adds for each row.
fn sum<E: Send>(
    rows: &impl Rows<E>,
    size: usize,
    threads: usize,
    row: impl Fn(&mut Vec<f64>, &mut [f64], &[f32], usize) + Sync,
) -> Result<Vec<f64>, E> {
    let (count, next) = (rows.len(), std::sync::atomic::AtomicUsize::new(0));
    let work = || {
        let mut done = vec![];
        loop {
            let shard = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if shard >= SHARDS {
                return done;
            }
            let range = count * shard / SHARDS..count * (shard + 1) / SHARDS;
            let (mut total, mut scratch) = (vec![0.0; size], vec![]);
            let result = rows.visit(range, &mut |input, label| row(&mut scratch, &mut total, input, label));
            done.push((shard, result.map(|()| total)));
        }
    };
    let mut parts: Vec<(usize, Result<Vec<f64>, E>)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.clamp(1, SHARDS)).map(|_| scope.spawn(work)).collect();
        let mut parts = work();
        for other in others {
            match other.join() {
                Ok(more) => parts.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        parts
    });
    parts.sort_by_key(|(shard, _)| *shard);
    let mut total = vec![0.0; size];
    for (_, part) in parts {
        add(&mut total, 1.0, &part?);
    }
    Ok(total)
}

impl Regression {
    fn size(&self) -> usize {
        self.inputs * self.classes
    }

    /// `W x`.
    pub fn logits(&self, weights: &[f64], input: &[f32], out: &mut Vec<f64>) {
        out.clear();
        out.extend(weights.chunks_exact(self.inputs.max(1)).map(|row| dot(row, input)));
    }

    /// Returns the mean cross-entropy without the penalty, and its gradient.
    pub fn risk<E: Send>(&self, weights: &[f64], rows: &impl Rows<E>) -> Result<(f64, Vec<f64>), E> {
        let size = self.size();
        let mut total = sum(rows, size + 1, self.threads, |scratch, total, input, label| {
            self.logits(weights, input, scratch);
            total[size] += cross_entropy(scratch, label);
            softmax(scratch);
            scratch[label] -= 1.0;
            for (class, error) in scratch.iter().enumerate() {
                add_scaled(&mut total[class * self.inputs..(class + 1) * self.inputs], *error, input);
            }
        })?;
        let count = rows.len().max(1) as f64;
        total.iter_mut().for_each(|value| *value /= count);
        let risk = total.pop().unwrap_or_default();
        Ok((risk, total))
    }

    /// Multiplies the Hessian of the objective by `direction`.
    pub fn curvature<E: Send>(&self, weights: &[f64], rows: &impl Rows<E>, direction: &[f64]) -> Result<Vec<f64>, E> {
        let mut total = sum(rows, self.size(), self.threads, |scratch, total, input, _| {
            self.add_curvature(weights, input, direction, scratch, total);
        })?;
        let count = rows.len().max(1) as f64;
        total.iter_mut().zip(direction).for_each(|(value, d)| *value = *value / count + self.l2 * d);
        Ok(total)
    }

    /// Adds the product `(diag(p) - p p^T) V x` times `x^T` of one row.
    pub fn add_curvature(
        &self,
        weights: &[f64],
        input: &[f32],
        direction: &[f64],
        scratch: &mut Vec<f64>,
        total: &mut [f64],
    ) {
        self.logits(weights, input, scratch);
        softmax(scratch);
        let classes = self.classes;
        scratch.extend(direction.chunks_exact(self.inputs.max(1)).map(|row| dot(row, input)));
        let (p, moved) = scratch.split_at(classes);
        let mean = inner(p, moved);
        for class in 0..classes {
            let factor = p[class] * (moved[class] - mean);
            add_scaled(&mut total[class * self.inputs..(class + 1) * self.inputs], factor, input);
        }
    }

    /// Finds the optimum from `weights` by Newton's method with conjugate gradients. Returns the norm of the gradient there.
    pub fn fit<E: Send>(&self, weights: &mut [f64], rows: &impl Rows<E>, tolerance: f64) -> Result<f64, E> {
        let objective = |weights: &[f64]| -> Result<(f64, Vec<f64>), E> {
            let (risk, mut gradient) = self.risk(weights, rows)?;
            add(&mut gradient, self.l2, weights);
            Ok((risk + 0.5 * self.l2 * inner(weights, weights), gradient))
        };
        let (mut value, mut gradient) = objective(weights)?;
        let mut norm = inner(&gradient, &gradient).sqrt();
        for _ in 0..100 {
            if norm <= tolerance {
                break;
            }
            let downhill: Vec<f64> = gradient.iter().map(|g| -g).collect();
            let mut direction = vec![0.0; downhill.len()];
            // The nearer the optimum, the more exactly the step is computed.
            let forcing = norm.sqrt().clamp(1e-10, 0.1);
            conjugate::solve(|v| self.curvature(weights, rows, v), &downhill, &mut direction, forcing, 500)?;
            let slope = inner(&gradient, &direction);
            let mut length = 1.0;
            let moved = loop {
                let mut moved = weights.to_vec();
                add(&mut moved, length, &direction);
                let (next, next_gradient) = objective(&moved)?;
                let next_norm = inner(&next_gradient, &next_gradient).sqrt();
                // At the limit of rounding, the value no longer tells progress but the gradient does.
                if next <= value + 1e-4 * length * slope || (length == 1.0 && next_norm < 0.5 * norm) {
                    (value, gradient, norm) = (next, next_gradient, next_norm);
                    break Some(moved);
                }
                length *= 0.5;
                if length < 1e-8 {
                    break None;
                }
            };
            match moved {
                Some(moved) => weights.copy_from_slice(&moved),
                None => break,
            }
        }
        Ok(norm)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::kernels::random::{SplitMix64, unit_interval};

    struct Data(Vec<(Vec<f32>, usize)>);

    impl Rows<Infallible> for Data {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn visit(&self, range: Range<usize>, each: &mut dyn FnMut(&[f32], usize)) -> Result<(), Infallible> {
            self.0[range].iter().for_each(|(input, label)| each(input, *label));
            Ok(())
        }
    }

    /// Three overlapping clusters of points.
    fn data(count: usize, seed: u64) -> Data {
        let mut random = SplitMix64::new(seed);
        let mut number = || unit_interval(random.next_u64()) as f32;
        Data(
            (0..count)
                .map(|at| {
                    let label = at % 3;
                    let mut input: Vec<f32> = (0..4).map(|_| 2.0 * number() - 1.0).collect();
                    input[label] += 0.8;
                    (input, label)
                })
                .collect(),
        )
    }

    const SHAPE: Regression = Regression { inputs: 4, classes: 3, l2: 1e-2, threads: 3 };

    #[test]
    fn gradient_and_curvature_are_those_of_the_objective() {
        let rows = data(20, 1);
        let weights: Vec<f64> = (0..12).map(|i| f64::from(i % 5) / 3.0 - 0.6).collect();
        let (_, gradient) = SHAPE.risk(&weights, &rows).unwrap();
        let direction: Vec<f64> = (0..12).map(|i| f64::from(i % 4) - 1.0).collect();
        let bent = SHAPE.curvature(&weights, &rows, &direction).unwrap();
        let h = 1e-5;
        let moved = |by: f64| -> Vec<f64> { weights.iter().zip(&direction).map(|(w, d)| w + by * d).collect() };
        let (up, down) = (SHAPE.risk(&moved(h), &rows).unwrap(), SHAPE.risk(&moved(-h), &rows).unwrap());
        assert!(((up.0 - down.0) / (2.0 * h) - inner(&gradient, &direction)).abs() < 1e-8);
        for at in 0..12 {
            let twin = (up.1[at] - down.1[at]) / (2.0 * h) + SHAPE.l2 * direction[at];
            assert!((bent[at] - twin).abs() < 1e-7, "{at}");
        }
    }

    #[test]
    fn the_optimum_is_flat_and_threads_do_not_change_a_bit() {
        let rows = data(200, 2);
        let mut weights = vec![0.0; 12];
        assert!(SHAPE.fit(&mut weights, &rows, 1e-12).unwrap() <= 1e-12);
        // At the optimum the mean gradient is minus the penalty's.
        let (_, gradient) = SHAPE.risk(&weights, &rows).unwrap();
        assert!(gradient.iter().zip(&weights).all(|(g, w)| (g + SHAPE.l2 * w).abs() < 1e-12));
        for threads in [1, 2, 16] {
            let mut again = vec![0.0; 12];
            Regression { threads, ..SHAPE }.fit(&mut again, &rows, 1e-12).unwrap();
            assert_eq!(again, weights);
        }
    }

    #[test]
    fn influence_predicts_what_leaving_out_does() {
        let (rows, valid) = (data(90, 3), data(60, 4));
        let mut weights = vec![0.0; 12];
        SHAPE.fit(&mut weights, &rows, 1e-12).unwrap();
        let (base, target) = SHAPE.risk(&weights, &valid).unwrap();
        let mut s = vec![0.0; 12];
        let product = |v: &[f64]| SHAPE.curvature(&weights, &rows, v);
        let solved = conjugate::solve(product, &target, &mut s, 1e-12, 200).unwrap();
        assert!(solved.residual <= 1e-12, "{solved:?}");
        let (mut predicted, mut truth) = (vec![], vec![]);
        for out in 0..rows.len() {
            let one = Data(vec![rows.0[out].clone()]);
            let (_, gradient) = SHAPE.risk(&weights, &one).unwrap();
            predicted.push(inner(&s, &gradient) / rows.len() as f64);
            let mut rest = Data(rows.0.clone());
            rest.0.remove(out);
            let mut without = weights.clone();
            SHAPE.fit(&mut without, &rest, 1e-12).unwrap();
            truth.push(SHAPE.risk(&without, &valid).unwrap().0 - base);
        }
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let centred = |x: &[f64]| -> Vec<f64> { x.iter().map(|v| v - mean(x)).collect() };
        let (a, b) = (centred(&predicted), centred(&truth));
        let pearson = inner(&a, &b) / (inner(&a, &a) * inner(&b, &b)).sqrt();
        assert!(pearson >= 0.99, "{pearson}");
    }
}
