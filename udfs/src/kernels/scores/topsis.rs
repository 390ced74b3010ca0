//! TOPSIS: rank by closeness to the ideal (Hwang and Yoon, Multiple attribute decision making, 1981).

/// The statistics of a criterion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criterion {
    /// Sum of the squares of its values.
    pub sum_squares: f64,
    /// The minimum.
    pub min: f64,
    /// The maximum.
    pub max: f64,
    /// Whether higher values are better.
    pub benefit: bool,
    /// Its weight.
    pub weight: f64,
}

/// Computes `d- / (d+ + d-)`, with the distances from the worst and the best possible row of vector-normalised, weighted
/// values; 0.5 if all rows are equal.
pub fn closeness(values: &[f64], criteria: &[Criterion]) -> f64 {
    let (mut to_best, mut to_worst) = (0.0, 0.0);
    for (value, c) in values.iter().zip(criteria) {
        let scale = if c.sum_squares > 0.0 { c.weight / c.sum_squares.sqrt() } else { 0.0 };
        let (best, worst) = if c.benefit { (c.max, c.min) } else { (c.min, c.max) };
        to_best += ((value - best) * scale).powi(2);
        to_worst += ((value - worst) * scale).powi(2);
    }
    let (to_best, to_worst) = (to_best.sqrt(), to_worst.sqrt());
    if to_best + to_worst > 0.0 { to_worst / (to_best + to_worst) } else { 0.5 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_published_ranking() {
        let rows = [
            [250.0, 16.0, 12.0, 5.0],
            [200.0, 16.0, 8.0, 3.0],
            [300.0, 32.0, 16.0, 4.0],
            [275.0, 32.0, 8.0, 4.0],
            [225.0, 16.0, 16.0, 2.0],
        ];
        let criteria: [Criterion; 4] = std::array::from_fn(|at| {
            let column = rows.map(|row| row[at]);
            Criterion {
                sum_squares: column.iter().map(|x| x * x).sum(),
                min: column.iter().copied().fold(f64::INFINITY, f64::min),
                max: column.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                benefit: at > 0,
                weight: 0.25,
            }
        });
        let found = rows.map(|row| (closeness(&row, &criteria) * 1e4).round() / 1e4);
        assert_eq!(found, [0.5343, 0.3084, 0.6916, 0.5347, 0.4010]);
        let same = [Criterion { sum_squares: 2.0, min: 1.0, max: 1.0, benefit: true, weight: 1.0 }];
        assert_eq!(closeness(&[1.0], &same), 0.5);
    }
}
