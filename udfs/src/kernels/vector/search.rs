//! Nearest and similar rows in blocks: 32-bit products propose, 64-bit sums decide.

use serde::{Deserialize, Serialize};

use super::arithmetic::{cosine, squared_distance};
use super::products::{error_bound, products};

/// The metric of nearness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Cosine of the angle; zero vectors are never compared.
    Cosine,
    /// Euclidean distance.
    L2,
}

impl Metric {
    /// The SQL name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::L2 => "l2",
        }
    }

    /// The metric with that SQL name.
    pub fn from_name(name: &str) -> Self {
        if name == "l2" { Self::L2 } else { Self::Cosine }
    }

    /// The score, which is larger for nearer rows: the cosine, or the negative squared distance.
    pub fn score(self, a: &[f32], b: &[f32], a_squared: f64, b_squared: f64) -> f64 {
        match self {
            Self::Cosine => cosine(a, b, a_squared, b_squared).unwrap_or(-1.0),
            Self::L2 => -squared_distance(a, b),
        }
    }

    /// The distance for a score: 1 - cosine, or the Euclidean distance.
    pub fn distance(self, score: f64) -> f64 {
        match self {
            Self::Cosine => 1.0 - score,
            Self::L2 => (-score).max(0.0).sqrt(),
        }
    }

    /// How far an approximate score may be from the exact one, for squared lengths up to the given ones.
    fn margin(self, dimensions: usize, a_squared: f64, b_squared: f64) -> f64 {
        match self {
            Self::Cosine => error_bound(dimensions),
            Self::L2 => {
                2.0 * error_bound(dimensions) * (a_squared * b_squared).sqrt()
                    + 2_f64.powi(-21) * (a_squared + b_squared)
            }
        }
    }
}

/// Concatenated rows with their squared lengths.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// `dimensions` values per row.
    pub values: &'a [f32],
    /// The squared length of each row, as computed by [`super::arithmetic::squared_norm`].
    pub squared: &'a [f64],
    /// Values per row.
    pub dimensions: usize,
}

impl<'a> Rows<'a> {
    /// A row's values.
    pub fn row(&self, at: usize) -> &'a [f32] {
        &self.values[at * self.dimensions..(at + 1) * self.dimensions]
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.squared.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.squared.is_empty()
    }

    /// The exact score of row `at` with row `there` of `other`.
    pub fn score(&self, metric: Metric, at: usize, other: &Rows<'_>, there: usize) -> f64 {
        metric.score(self.row(at), other.row(there), self.squared[at], other.squared[there])
    }
}

/// The approximate scores of a block; buffers are reused.
#[derive(Debug, Default)]
pub struct Scores {
    values: Vec<f32>,
    inverse: Vec<f32>,
    columns: usize,
    metric_margin: Vec<f64>,
}

impl Scores {
    /// Scores every row of `left` against every row of `right`.
    pub fn fill(&mut self, metric: Metric, left: Rows<'_>, right: Rows<'_>) {
        self.columns = right.len();
        self.values.clear();
        self.values.resize(left.len() * right.len(), 0.0);
        products(left.values, right.values, left.dimensions, &mut self.values);
        let largest = right.squared.iter().copied().fold(0.0, f64::max);
        self.metric_margin.clear();
        self.metric_margin.extend(left.squared.iter().map(|&squared| metric.margin(left.dimensions, squared, largest)));
        let inverse = |squared: f64| if squared > 0.0 { (1.0 / squared.sqrt()) as f32 } else { 0.0 };
        self.inverse.clear();
        match metric {
            Metric::Cosine => self.inverse.extend(right.squared.iter().map(|&squared| inverse(squared))),
            Metric::L2 => self.inverse.extend(right.squared.iter().map(|&squared| squared as f32)),
        }
        for (row, &squared) in self.values.chunks_exact_mut(self.columns.max(1)).zip(left.squared) {
            match metric {
                Metric::Cosine => {
                    let own = inverse(squared);
                    row.iter_mut().zip(&self.inverse).for_each(|(score, other)| *score *= own * other);
                }
                Metric::L2 => {
                    let own = squared as f32;
                    row.iter_mut().zip(&self.inverse).for_each(|(score, other)| *score = 2.0 * *score - own - other);
                }
            }
        }
    }

    /// The approximate scores of a left row, and how far each may be from the exact one.
    pub fn row(&self, at: usize) -> (&[f32], f64) {
        (&self.values[at * self.columns..(at + 1) * self.columns], self.metric_margin[at])
    }

    /// The same, mutable.
    pub fn row_mut(&mut self, at: usize) -> (&mut [f32], f64) {
        (&mut self.values[at * self.columns..(at + 1) * self.columns], self.metric_margin[at])
    }

    /// Excludes a pair from the search.
    pub fn exclude(&mut self, left: usize, right: usize) {
        self.values[left * self.columns + right] = f32::NEG_INFINITY;
    }
}

/// The nearest row found so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// Its exact score.
    pub score: f64,
    /// Its number; [`NOBODY`] if no row was found.
    pub number: u32,
}

/// No row.
pub const NOBODY: u32 = u32::MAX;

impl Best {
    /// Nothing found.
    pub const NONE: Self = Self { score: f64::NEG_INFINITY, number: NOBODY };

    /// Replaces the row by another that is nearer, or equally near with a smaller number.
    pub fn offer(&mut self, score: f64, number: u32) {
        if score > self.score || (score == self.score && number < self.number) {
            *self = Self { score, number };
        }
    }
}

/// Offers the first `limit` right rows, numbered by `number`, to `best` for left row `at`. [`Scores::fill`] must have been
/// called with both.
pub fn improve(
    metric: Metric,
    (left, right): (Rows<'_>, Rows<'_>),
    scores: &Scores,
    (at, limit): (usize, usize),
    number: impl Fn(usize) -> u32,
    best: &mut Best,
) {
    let (row, margin) = scores.row(at);
    let row = &row[..limit.min(row.len())];
    let most = f64::from(largest(row));
    let floor = best.score.max(most - margin) - margin;
    if most < floor || most == f64::NEG_INFINITY {
        return;
    }
    // Use the next smaller value, so that the comparison is safe in 32 bits.
    let floor = (floor as f32).next_down();
    at_least(row, floor, |there| best.offer(left.score(metric, at, &right, there), number(there)));
}

/// Scores examined together: usually one comparison shows that none of them matters.
const GROUP: usize = 32;

/// The largest score; no score may be NaN.
pub fn largest(row: &[f32]) -> f32 {
    let (groups, rest) = row.as_chunks::<GROUP>();
    let mut lanes = [f32::NEG_INFINITY; GROUP];
    for group in groups {
        for (lane, score) in lanes.iter_mut().zip(group) {
            *lane = if *score > *lane { *score } else { *lane };
        }
    }
    let mut width = GROUP / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = lanes[lane].max(lanes[lane + width]);
        }
        width /= 2;
    }
    rest.iter().fold(lanes[0], |most, score| if *score > most { *score } else { most })
}

/// Calls `visit` with the position of every score of at least `floor`, in order.
pub fn at_least(row: &[f32], floor: f32, mut visit: impl FnMut(usize)) {
    for (number, group) in row.chunks(GROUP).enumerate() {
        if group.iter().fold(false, |any, score| any | (*score >= floor)) {
            let near = group.iter().enumerate().filter(|(_, score)| **score >= floor);
            near.for_each(|(at, _)| visit(number * GROUP + at));
        }
    }
}

/// The first among the first `limit` right rows whose exact cosine with left row `at` is at least `threshold`, and that
/// cosine.
pub fn first_similar(
    (left, right): (Rows<'_>, Rows<'_>),
    scores: &Scores,
    (at, limit): (usize, usize),
    threshold: f64,
    mut usable: impl FnMut(usize) -> bool,
) -> Option<(usize, f64)> {
    let (row, margin) = scores.row(at);
    let floor = ((threshold - margin) as f32).next_down();
    let near = row[..limit.min(row.len())].iter().enumerate().filter(|(_, score)| **score >= floor);
    for (there, _) in near {
        if usable(there) {
            let exact = left.score(Metric::Cosine, at, &right, there);
            if exact >= threshold {
                return Some((there, exact));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::random::{SplitMix64, unit_interval};
    use crate::kernels::vector::arithmetic::squared_norm;

    fn random(rows: usize, dimensions: usize, seed: u64) -> (Vec<f32>, Vec<f64>) {
        let mut random = SplitMix64::new(seed);
        let values: Vec<f32> =
            (0..rows * dimensions).map(|_| (unit_interval(random.next_u64()) * 4.0 - 1.5) as f32).collect();
        let squared = values.chunks(dimensions).map(squared_norm).collect();
        (values, squared)
    }

    #[test]
    fn the_nearest_row_is_the_exact_one_in_any_tiling() {
        for metric in [Metric::Cosine, Metric::L2] {
            let ((a, a2), (b, b2)) = (random(40, 24, 1), random(90, 24, 2));
            // Rows that are almost, or exactly, as near as others.
            let mut b = b;
            b.copy_within(0..24 * 5, 24 * 60);
            let mut b2 = b2;
            b2.copy_within(0..5, 60);
            let left = Rows { values: &a, squared: &a2, dimensions: 24 };
            let right = Rows { values: &b, squared: &b2, dimensions: 24 };
            for tile in [7, 32, 90] {
                let mut best = vec![Best::NONE; left.len()];
                let mut scores = Scores::default();
                for first in (0..right.len()).step_by(tile) {
                    let end = (first + tile).min(right.len());
                    let part = Rows { values: &b[first * 24..end * 24], squared: &b2[first..end], dimensions: 24 };
                    scores.fill(metric, left, part);
                    for (at, best) in best.iter_mut().enumerate() {
                        let limit = (at * 2 + 1).saturating_sub(first);
                        improve(metric, (left, part), &scores, (at, limit), |j| (first + j) as u32, best);
                    }
                }
                for (at, found) in best.iter().enumerate() {
                    let mut expected = Best::NONE;
                    for there in 0..(at * 2 + 1).min(right.len()) {
                        expected.offer(left.score(metric, at, &right, there), there as u32);
                    }
                    assert_eq!(*found, expected, "{metric:?} {tile} {at}");
                }
            }
        }
    }

    #[test]
    fn the_first_similar_row_is_the_first() {
        let (a, a2) = random(30, 8, 5);
        let rows = Rows { values: &a, squared: &a2, dimensions: 8 };
        let mut scores = Scores::default();
        scores.fill(Metric::Cosine, rows, rows);
        for at in 0..30 {
            let found = first_similar((rows, rows), &scores, (at, at), 0.6, |_| true);
            let exact = (0..at).map(|there| (there, rows.score(Metric::Cosine, at, &rows, there)));
            assert_eq!(found, exact.into_iter().find(|(_, score)| *score >= 0.6));
        }
    }
}
