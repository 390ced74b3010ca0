//! Normalisation of vectors to length 1.

/// Scales a vector to length 1; `false` if it is zero.
pub(crate) fn normalize(vector: &mut [f32]) -> bool {
    let length = vector.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    }
    length > 0.0
}
