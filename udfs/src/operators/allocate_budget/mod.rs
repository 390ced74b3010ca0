//! `allocate_budget`: divides a number of rows to keep among groups.

pub mod plan;
pub mod run;

use std::fmt;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, internal_err, plan_err};

use super::call::{Output, Real};
use crate::kernels::allocation::{Method, Rounding};

/// The arguments of a call. Columns: group, size, and the weight where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AllocateBudget {
    /// Rows to keep.
    pub budget: u64,
    /// How they are divided.
    pub method: Method,
    /// How shares become whole.
    pub rounding: Rounding,
    /// Rows every group keeps at least, as far as it has them.
    pub floor: u64,
    /// The same as a part of an even share; the larger of the two counts.
    pub floor_ratio: Real,
}

impl AllocateBudget {
    /// All columns, then `allocated` and `budget_met`.
    pub fn output(&self, inputs: &[&Schema], columns: &[Vec<usize>]) -> Result<Output> {
        let ([schema], [columns]) = (inputs, columns) else { return internal_err!("allocate_budget takes one input") };
        if !(2..=3).contains(&columns.len()) {
            return internal_err!("allocate_budget works on two or three columns");
        }
        for (column, what) in columns.iter().skip(1).zip(["size", "weight"]) {
            let field = schema.field(*column);
            let fits = if what == "size" { field.data_type().is_integer() } else { field.data_type().is_numeric() };
            if !fits {
                let kind = if what == "size" { "an integer" } else { "a number" };
                return plan_err!(
                    "allocate_budget: `{what} => {}` must be {kind}, not {}",
                    field.name(),
                    field.data_type()
                );
            }
        }
        Ok(Output {
            passed: (0..schema.fields().len()).collect(),
            added: vec![
                Field::new("allocated", DataType::Int64, false),
                Field::new("budget_met", DataType::Boolean, false),
            ],
        })
    }
}

impl fmt::Display for AllocateBudget {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { budget, method, rounding, floor, floor_ratio } = self;
        write!(f, "budget={budget}, {method:?}, {rounding:?}, floor={floor}, floor_ratio={floor_ratio}")
    }
}
