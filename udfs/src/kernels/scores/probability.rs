//! Class probabilities: validation, and softmax.

use std::fmt;

/// Why numbers are not valid probabilities or logits.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// The list is empty.
    Empty,
    /// A value is NaN, infinite or, for a probability, outside [0, 1]. Positions count from 1 as in SQL.
    Value {
        /// Position in the list.
        position: usize,
        /// The value.
        value: f64,
    },
    /// Probabilities do not sum to one.
    Sum {
        /// Their sum.
        sum: f64,
        /// The allowed deviation from one.
        tolerance: f64,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "is empty"),
            Self::Value { position, value } => write!(f, "has {value} at position {position}"),
            Self::Sum { sum, tolerance } => write!(f, "sums to {sum}, not to one within {tolerance}"),
        }
    }
}

/// Checks that `values` are probabilities of mutually exclusive classes.
pub fn check_probabilities(values: &[f64], tolerance: f64) -> Result<(), Fault> {
    if values.is_empty() {
        return Err(Fault::Empty);
    }
    let inside = |value: f64| (0.0..=1.0 + tolerance).contains(&value);
    let (mut sum, mut fine) = (0.0, true);
    for &value in values {
        sum += value;
        fine &= inside(value);
    }
    if !fine {
        return Err(first(values, |value| !inside(value)));
    }
    if (sum - 1.0).abs() <= tolerance { Ok(()) } else { Err(Fault::Sum { sum, tolerance }) }
}

/// Checks that all values are finite.
pub fn check_finite(values: &[f64]) -> Result<(), Fault> {
    if values.iter().all(|value| value.is_finite()) { Ok(()) } else { Err(first(values, |value| !value.is_finite())) }
}

fn first(values: &[f64], wrong: impl Fn(f64) -> bool) -> Fault {
    let found = values.iter().enumerate().find(|(_, value)| wrong(**value));
    found.map_or(Fault::Empty, |(at, &value)| Fault::Value { position: at + 1, value })
}

/// Converts logits to probabilities in place: `exp(z / temperature)`, normalised.
///
/// A logit of minus infinity is an impossible class. NaN, infinity, or minus infinity everywhere are errors.
pub fn softmax(logits: &mut [f64], temperature: f64) -> Result<(), Fault> {
    let wrong = |value: f64| value.is_nan() || value == f64::INFINITY;
    if logits.iter().any(|value| wrong(*value)) {
        return Err(first(logits, wrong));
    }
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY && !logits.is_empty() {
        return Err(first(logits, |_| true));
    }
    let mut sum = 0.0;
    for value in logits.iter_mut() {
        *value = libm::exp((*value - top) / temperature);
        sum += *value;
    }
    logits.iter_mut().for_each(|value| *value /= sum);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_is_stable_and_sums_to_one() {
        let mut logits = [1000.0, 999.0, f64::NEG_INFINITY];
        softmax(&mut logits, 1.0).unwrap();
        let expected = 1.0 / (1.0 + (-1.0_f64).exp());
        assert!((logits[0] - expected).abs() < 1e-15 && logits[2] == 0.0);
        check_probabilities(&logits, 1e-12).unwrap();
        let mut hot = [2.0, 0.0];
        softmax(&mut hot, 2.0).unwrap();
        assert!((hot[0] - expected).abs() < 1e-15);
        assert_eq!(softmax(&mut [0.0, f64::INFINITY], 1.0), Err(Fault::Value { position: 2, value: f64::INFINITY }));
        assert!(softmax(&mut [f64::NEG_INFINITY; 2], 1.0).is_err());
        assert!(softmax(&mut [], 1.0).is_ok());
    }

    #[test]
    fn faults_name_the_place() {
        assert_eq!(check_probabilities(&[], 1e-3), Err(Fault::Empty));
        assert_eq!(check_probabilities(&[1.5, -0.5], 1e-3), Err(Fault::Value { position: 1, value: 1.5 }));
        assert_eq!(check_probabilities(&[0.5, 0.25], 1e-3), Err(Fault::Sum { sum: 0.75, tolerance: 1e-3 }));
        assert!(
            check_probabilities(&[0.5, f64::NAN], 1e-3).unwrap_err().to_string().starts_with("has NaN at position 2")
        );
        assert!(check_finite(&[1.0, f64::NEG_INFINITY]).is_err());
    }
}
