//! `allocate_budget`: divides a number of rows to keep among groups.

pub mod plan;
pub mod run;

use std::fmt;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, internal_err, plan_err};

use super::call::{Output, Real};
use crate::kernels::allocation::{Method, Rounding};

/// The arguments of a call. Columns: group, size, the weight where there is one, and the budget where it is a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AllocateBudget {
    /// Rows to keep; without it the last column says how many.
    pub budget: Option<u64>,
    /// How they are divided.
    pub method: Method,
    /// How shares become whole.
    pub rounding: Rounding,
    /// Rows every group keeps at least, as far as it has them.
    pub floor: u64,
    /// The same as a part of an even share; the larger of the two counts.
    pub floor_ratio: Real,
}

/// What the columns are for.
pub struct Roles {
    /// Keys.
    pub group: usize,
    /// Rows of a group.
    pub size: usize,
    /// Weights.
    pub weight: Option<usize>,
    /// The budget, the same in all rows.
    pub budget: Option<usize>,
}

impl AllocateBudget {
    /// The roles of `columns`.
    pub fn roles(&self, columns: &[usize]) -> Option<Roles> {
        let (columns, budget) = match (self.budget, columns) {
            (None, [columns @ .., budget]) => (columns, Some(*budget)),
            (_, columns) => (columns, None),
        };
        match columns {
            [group, size] => Some(Roles { group: *group, size: *size, weight: None, budget }),
            [group, size, weight] => Some(Roles { group: *group, size: *size, weight: Some(*weight), budget }),
            _ => None,
        }
    }

    /// All columns, then `allocated` and `budget_met`.
    pub fn output(&self, inputs: &[&Schema], columns: &[Vec<usize>]) -> Result<Output> {
        let ([schema], [columns]) = (inputs, columns) else { return internal_err!("allocate_budget takes one input") };
        let Some(Roles { group: _, size, weight, budget }) = self.roles(columns) else {
            return internal_err!("allocate_budget works on two to four columns");
        };
        for (column, what) in [(Some(size), "size"), (weight, "weight"), (budget, "budget")] {
            let Some(field) = column.map(|column| schema.field(column)) else { continue };
            let fits = if what == "weight" { field.data_type().is_numeric() } else { field.data_type().is_integer() };
            if !fits {
                let kind = if what == "weight" { "a number" } else { "an integer" };
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
        let budget = budget.map_or_else(|| "a column".to_owned(), |budget| budget.to_string());
        write!(f, "budget={budget}, {method:?}, {rounding:?}, floor={floor}, floor_ratio={floor_ratio}")
    }
}
