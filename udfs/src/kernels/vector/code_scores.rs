//! Cosines of int8 codes, with bounds on the cosines of the original vectors.

use super::codes::Codes;
use super::panels::{Panel, WIDTH, multiply, pack};
use super::search::Metric;

/// Bound on the error from rounding the cosine of two codes to 32 bits, with some reserve.
const ROUNDING: f64 = 1e-6;

/// The cosines of a block of codes; buffers are reused.
#[derive(Debug, Default)]
pub struct CodeScores {
    cosines: Vec<f32>,
    columns: usize,
    /// Sine of the angle between each left row and its code, and the largest such sine of the right rows.
    sines: (Vec<f32>, f64),
    panel: Vec<[i32; WIDTH]>,
}

/// Right codes in multiplication order, to be reused with many left codes.
#[derive(Debug)]
pub struct Panels {
    width: usize,
    words: Vec<[i32; WIDTH]>,
    inverse: Vec<f32>,
    sine: f64,
}

impl Panels {
    /// Arranges codes in panels.
    pub fn of(codes: &Codes) -> Self {
        let width = codes.width.max(1);
        let mut words = vec![[0; WIDTH]; codes.words.len().div_ceil(WIDTH * width) * width];
        for (rows, panel) in codes.words.chunks(WIDTH * width).zip(words.chunks_exact_mut(width)) {
            pack(rows, panel);
        }
        Self { width, words, inverse: codes.inverse.clone(), sine: largest_sine(codes) }
    }

    /// Number of codes.
    pub fn len(&self) -> usize {
        self.inverse.len()
    }

    /// Whether there are no codes.
    pub fn is_empty(&self) -> bool {
        self.inverse.is_empty()
    }
}

fn largest_sine(codes: &Codes) -> f64 {
    codes.sine.iter().copied().fold(0.0, f32::max).into()
}

impl CodeScores {
    /// Computes the cosine of every left code with every right code.
    pub fn fill(&mut self, left: &Codes, right: &Codes) {
        self.start(left, right.len(), largest_sine(right));
        if right.width == 0 {
            return;
        }
        let mut panel = std::mem::take(&mut self.panel);
        panel.resize(right.width, [0; WIDTH]);
        for (number, rows) in right.words.chunks(WIDTH * right.width).enumerate() {
            pack(rows, &mut panel);
            self.multiply(left, number, &panel, &right.inverse);
        }
        self.panel = panel;
    }

    /// The same for right codes that are already in panels.
    pub fn fill_panels(&mut self, left: &Codes, right: &Panels) {
        self.start(left, right.len(), right.sine);
        for (number, panel) in right.words.chunks_exact(right.width).enumerate() {
            self.multiply(left, number, panel, &right.inverse);
        }
    }

    fn start(&mut self, left: &Codes, columns: usize, right_sine: f64) {
        self.columns = columns;
        self.cosines.clear();
        self.cosines.resize(left.len() * columns, 0.0);
        self.sines.0.clear();
        self.sines.0.extend_from_slice(&left.sine);
        self.sines.1 = right_sine;
    }

    fn multiply(&mut self, left: &Codes, number: usize, panel: &Panel, inverse: &[f32]) {
        let first = number * WIDTH;
        let inverse = &inverse[first..(first + WIDTH).min(inverse.len())];
        multiply(&left.words, panel, |at, sums| {
            let start = at * self.columns + first;
            let (own, offset) = (left.inverse[at], left.offset[at]);
            let (out, sums) = (&mut self.cosines[start..start + inverse.len()], &sums[..inverse.len()]);
            for column in 0..inverse.len() {
                out[column] = (sums[column] - offset) as f32 * (own * inverse[column]);
            }
        });
    }

    /// Converts the cosines to scores, given the squared lengths of the vectors. Returns for each left row a margin: how far
    /// a score may be from the exact one.
    pub fn score(&mut self, metric: Metric, left: &[f64], right: &[f64], margins: &mut Vec<f64>) {
        margins.clear();
        let largest = right.iter().copied().fold(0.0, f64::max);
        let lengths = right.iter().map(|squared| squared.sqrt() as f32).collect::<Vec<_>>();
        for (at, &squared) in left.iter().enumerate() {
            // The cosine changes by no more than the angle, and by no more than from 1 to -1.
            let (sine, cosine) = self.sum_of_angles(at);
            let turn = if cosine > 0.0 { (sine + 1.0 - cosine).min(2.0) } else { 2.0 } + ROUNDING;
            let row = &mut self.cosines[at * self.columns..(at + 1) * self.columns];
            match metric {
                Metric::Cosine => margins.push(turn),
                Metric::L2 => {
                    let (length, own) = (2.0 * squared.sqrt() as f32, squared as f32);
                    for ((score, other), other_squared) in row.iter_mut().zip(&lengths).zip(right) {
                        *score = length * other * *score - own - *other_squared as f32;
                    }
                    margins.push(2.0 * (squared * largest).sqrt() * turn + 2_f64.powi(-20) * (squared + largest));
                }
            }
        }
    }

    /// The code score below which a right row cannot be nearest to left row `at`, given the largest score `best` and the
    /// `margin` from [`Self::score`].
    pub fn floor_of_nearest(&self, metric: Metric, at: usize, best: f32, margin: f64) -> f32 {
        let uniform = f64::from(best) - 2.0 * margin;
        let floor = match metric {
            // Twice the angles; this is less than twice the margin unless the two are orthogonal.
            Metric::Cosine => self.certain(at, self.certain(at, best.into()).0).0.max(uniform),
            Metric::L2 => uniform,
        };
        (floor as f32).next_down()
    }

    /// Sine and cosine of the largest possible sum of two angles: of left row `at` to its code, and of any right row to its
    /// code.
    fn sum_of_angles(&self, at: usize) -> (f64, f64) {
        let (own, other) = (f64::from(self.sines.0[at]), self.sines.1);
        let cosine = |sine: f64| (1.0 - sine * sine).max(0.0).sqrt();
        (own * cosine(other) + other * cosine(own), cosine(own) * cosine(other) - own * other)
    }

    /// The cosines, or scores, of left row `at`.
    pub fn row(&self, at: usize) -> &[f32] {
        &self.cosines[at * self.columns..(at + 1) * self.columns]
    }

    /// The same, mutable.
    pub fn row_mut(&mut self, at: usize) -> &mut [f32] {
        &mut self.cosines[at * self.columns..(at + 1) * self.columns]
    }

    /// Bounds for left row `at` and any right row. If the cosine of their codes is below the first value, the cosine of the
    /// vectors is below `threshold`; if it is at least the second value, that of the vectors is at least `threshold`.
    pub fn certain(&self, at: usize, threshold: f64) -> (f64, f64) {
        let (sine, total) = self.sum_of_angles(at);
        let across = (1.0 - threshold * threshold).max(0.0).sqrt();
        // If the angles sum to more than a right angle, nothing is certain.
        if total <= 0.0 {
            return (f64::NEG_INFINITY, f64::INFINITY);
        }
        let below = threshold * total - across * sine;
        // If the sum of the angles exceeds the angle of the threshold, no vectors are certain to be near enough.
        let above = if threshold <= total { threshold * total + across * sine } else { f64::INFINITY };
        // An angle beyond 180 degrees does not exist.
        let below = if threshold < -total { f64::NEG_INFINITY } else { below };
        (below - ROUNDING, above + ROUNDING)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::random::{SplitMix64, unit_interval};
    use crate::kernels::vector::arithmetic::{cosine, squared_norm};

    fn vectors(rows: usize, dimensions: usize, seed: u64) -> Vec<Vec<f32>> {
        let mut random = SplitMix64::new(seed);
        let mut value = || (unit_interval(random.next_u64()) * 4.0 - 1.5) as f32;
        (0..rows).map(|_| (0..dimensions).map(|_| value()).collect()).collect()
    }

    fn codes(vectors: &[Vec<f32>]) -> Codes {
        let mut codes = Codes::new(vectors[0].len());
        vectors.iter().for_each(|vector| codes.push(vector));
        codes
    }

    proptest! {
        #[test]
        fn what_is_certain_is_true(
            seed in any::<u64>(), rows in 1_usize..40, dimensions in 1_usize..70, threshold in -1.0..1.0_f64, size in -30..30_i32,
        ) {
            let mut all = vectors(rows, dimensions, seed);
            // Rows at all angles, and of all lengths.
            for at in 1..rows {
                let (before, after) = all.split_at_mut(at);
                let weight = (at % 7) as f32 * 2_f32.powi(-(at as i32 % 5));
                after[0].iter_mut().zip(&before[at - 1]).for_each(|(x, y)| *x = *x * weight + y);
            }
            all.iter_mut().flatten().for_each(|x| *x *= 2_f32.powi(size));
            let codes = codes(&all);
            let mut scores = CodeScores::default();
            scores.fill(&codes, &codes);
            for (i, a) in all.iter().enumerate() {
                let (below, above) = scores.certain(i, threshold);
                for (j, b) in all.iter().enumerate() {
                    let Some(exact) = cosine(a, b, squared_norm(a), squared_norm(b)) else { continue };
                    let found = f64::from(scores.row(i)[j]);
                    prop_assert!(found >= below || exact < threshold, "{i} {j}: {found} {below} {exact}");
                    prop_assert!(found < above || exact >= threshold, "{i} {j}: {found} {above} {exact}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn scores_are_within_their_margin(
            seed in any::<u64>(), rows in 1_usize..30, dimensions in 1_usize..70, size in -20..20_i32,
        ) {
            let mut all = vectors(rows, dimensions, seed);
            for (at, vector) in all.iter_mut().enumerate() {
                vector.iter_mut().for_each(|x| *x *= 2_f32.powi(size + at as i32 % 5));
            }
            let squared: Vec<f64> = all.iter().map(|vector| squared_norm(vector)).collect();
            let (codes, mut scores, mut margins) = (codes(&all), CodeScores::default(), vec![]);
            for metric in [Metric::Cosine, Metric::L2] {
                scores.fill(&codes, &codes);
                scores.score(metric, &squared, &squared, &mut margins);
                for (i, a) in all.iter().enumerate() {
                    for (j, b) in all.iter().enumerate() {
                        let exact = metric.score(a, b, squared[i], squared[j]);
                        prop_assert!((f64::from(scores.row(i)[j]) - exact).abs() <= margins[i], "{metric:?} {i} {j}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_zero_vector_leaves_everything_open() {
        let codes = codes(&[vec![0.0; 5], vec![1.0; 5]]);
        let mut scores = CodeScores::default();
        scores.fill(&codes, &codes);
        assert_eq!(scores.row(0), [0.0, 0.0]);
        assert_eq!(scores.certain(0, 0.5), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn cosines_do_not_depend_on_the_rows_around_them() {
        let (left, right) = (codes(&vectors(29, 50, 5)), codes(&vectors(71, 50, 6)));
        let (mut all, mut part) = (CodeScores::default(), CodeScores::default());
        all.fill(&left, &right);
        part.fill_panels(&left, &Panels::of(&right));
        (0..left.len()).for_each(|at| assert_eq!(part.row(at), all.row(at)));
        for (rows, columns) in [(0..5, 3..43), (7..29, 0..71), (28..29, 70..71), (3..17, 33..71)] {
            let (mut l, mut r) = (Codes::new(50), Codes::new(50));
            l.extend(&left, rows.clone());
            r.extend(&right, columns.clone());
            part.fill(&l, &r);
            for (at, row) in rows.enumerate() {
                assert_eq!(part.row(at), &all.row(row)[columns.clone()]);
            }
        }
    }
}
