//! Linear and logarithmic axes: from a value to a place between 0 and 1, with round ticks.

use crate::report::numbers;

/// A range of values with its ticks.
#[derive(Debug, Clone)]
pub struct Axis {
    log: bool,
    low: f64,
    high: f64,
    /// Round values inside the range, ascending.
    pub ticks: Vec<f64>,
}

impl Axis {
    /// From `low` to `high` evenly, ticks no closer than `least`.
    pub fn linear(low: f64, high: f64, least: f64) -> Self {
        let high = if high > low { high } else { low + low.abs().max(1.0) };
        let step = round_step((high - low) / 5.0).max(least);
        let first = (low / step - 1e-9).ceil();
        let ticks = (0..12).map(|i| (first + f64::from(i)) * step).take_while(|t| *t <= high + step * 1e-9).collect();
        Self { log: false, low, high, ticks }
    }

    /// From `low` (above 0) to `high` by orders of magnitude.
    pub fn log(low: f64, high: f64) -> Self {
        let low = low.max(f64::MIN_POSITIVE);
        let high = if high > low { high } else { low * 10.0 };
        let decades = (high / low).log10();
        let steps: &[f64] = if decades < 3.2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let every = (decades / 7.0).ceil().max(1.0) as i32;
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let ticks = (first..=last)
            .filter(|exponent| exponent.rem_euclid(every) == 0)
            .flat_map(|exponent| steps.iter().map(move |s| s * 10f64.powi(exponent)))
            .filter(|t| *t >= low * (1.0 - 1e-9) && *t <= high * (1.0 + 1e-9))
            .collect();
        Self { log: true, low, high, ticks }
    }

    /// For heights of bars: linear from 0, or logarithmic where the largest is over 300 times the smallest above 0.
    pub fn heights(counts: impl Iterator<Item = u64>) -> Self {
        let (min, max) = counts.filter(|c| *c > 0).fold((f64::INFINITY, 0.0), |(min, max), count| {
            let count = count as f64;
            (count.min(min), count.max(max))
        });
        // A log axis begins below 1 so that a bar of 1 can be seen.
        if max / min > 300.0 { Self::log(0.6, max * 1.3) } else { Self::linear(0.0, max * 1.05, 1.0) }
    }

    /// The place of `value`: 0 at the low end, 1 at the high end, never outside.
    pub fn place(&self, value: f64) -> f64 {
        let place = if self.log {
            (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// `name`, and that the scale is logarithmic where it is.
    pub fn title(&self, name: &str) -> String {
        if self.log { format!("{name}, log scale") } else { name.to_owned() }
    }

    /// The ticks with their labels.
    pub fn labels(&self) -> impl Iterator<Item = (f64, String)> {
        self.ticks.iter().map(|t| (*t, numbers::tick(*t)))
    }
}

/// The next of 1, 2, 5, 10, 20, ... (times a power of ten) at or above `raw`.
fn round_step(raw: f64) -> f64 {
    let power = 10f64.powf(raw.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|m| m * power).find(|step| *step >= raw * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(Axis::linear(0.0, 47.0, 1.0).ticks, [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(Axis::linear(0.0, 2.0, 1.0).ticks, [0.0, 1.0, 2.0]);
        let labels: Vec<_> = Axis::linear(0.7, 1.0, 0.0).labels().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0.7", "0.8", "0.9", "1"]);
        assert_eq!(Axis::log(0.6, 12_000.0).ticks, [1.0, 10.0, 100.0, 1000.0, 10_000.0]);
        assert_eq!(Axis::log(2.0, 60.0).ticks, [2.0, 5.0, 10.0, 20.0, 50.0]);
        for axis in
            [Axis::linear(5.0, 5.0, 0.0), Axis::log(0.0, 0.0), Axis::log(1e-300, 1e300), Axis::linear(0.0, 1e19, 1.0)]
        {
            assert!((1..=16).contains(&axis.ticks.len()), "{axis:?}");
        }
    }

    #[test]
    fn places_stay_in_the_frame() {
        let axis = Axis::log(1.0, 100.0);
        assert!((axis.place(10.0) - 0.5).abs() < 1e-12);
        assert_eq!((axis.place(0.0), axis.place(1e9), axis.place(f64::NAN)), (0.0, 1.0, 0.0));
        assert!((Axis::linear(0.0, 4.0, 1.0).place(1.0) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn heights_turn_logarithmic_over_decades() {
        assert!(Axis::heights([0, 1, 5000].into_iter()).log);
        assert!(!Axis::heights([0, 40, 500].into_iter()).log);
        assert!(!Axis::heights([].into_iter()).log);
    }
}
