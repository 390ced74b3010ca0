//! Shared by `minmax_scale` and `zscore`: a window function that sees a whole partition at once.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::Float64Type;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::PartitionEvaluator;

use super::parameters::{Kind, Parameter, required};

/// The argument of both functions.
pub(super) const PARAMETERS: [Parameter; 1] = [required("x", Kind::Number)];

/// Rescales a partition.
pub(super) struct Rescaler {
    /// The SQL name, for errors.
    pub(super) function: &'static str,
    /// Returns what is subtracted from each number, and what the difference is divided by. If the divisor is 0, all results
    /// are 0.
    pub(super) scale: fn(&Float64Array) -> (f64, f64),
}

impl fmt::Debug for Rescaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rescaler").field("function", &self.function).finish()
    }
}

impl PartitionEvaluator for Rescaler {
    fn evaluate_all(&mut self, values: &[ArrayRef], _: usize) -> Result<ArrayRef> {
        let numbers = values[0].as_primitive::<Float64Type>();
        if let Some(number) = numbers.iter().flatten().find(|number| !number.is_finite()) {
            return exec_err!("{}: x is {number}", self.function);
        }
        let (center, width) = (self.scale)(numbers);
        let scaled: Float64Array = numbers.unary(|x| if width > 0.0 { (x - center) / width } else { 0.0 });
        Ok(Arc::new(scaled))
    }
}
