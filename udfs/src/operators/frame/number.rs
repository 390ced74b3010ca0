//! Floating-point parameters of operators.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number that survives serialization bit by bit: it is written as the shortest text that identifies it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct F64Bits(f64);

impl F64Bits {
    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl From<f64> for F64Bits {
    fn from(value: f64) -> Self {
        Self(value)
    }
}

impl fmt::Display for F64Bits {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for F64Bits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for F64Bits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| de::Error::custom(format_args!("`{text}` is no number")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::F64Bits;

    proptest! {
        #[test]
        fn every_number_comes_back(value in any::<f64>()) {
            let text = serde_json::to_string(&F64Bits::from(value)).unwrap();
            let back: F64Bits = serde_json::from_str(&text).unwrap();
            assert!(back.get().to_bits() == value.to_bits() || value.is_nan());
        }
    }
}
