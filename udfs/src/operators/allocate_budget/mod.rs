//! `allocate_budget`: divides a number of rows to keep among groups.

pub mod plan;
mod reference;
pub mod run;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, internal_err, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};

use crate::kernels::allocation::{Method, Rounding};
use crate::operators::frame::operator::only;
use crate::operators::frame::{F64Bits, Input, Output, RelationOperator, Work};

/// The name in SQL.
pub const NAME: &str = "allocate_budget";

/// The arguments of a call. Input columns: group, size, optionally weight, and budget if it is a column.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AllocateBudget {
    /// Number of rows to keep; if `None`, the last column holds it.
    pub budget: Option<u64>,
    /// How the rows are divided.
    pub method: Method,
    /// How fractional shares are rounded.
    pub rounding: Rounding,
    /// Minimum number of rows to keep per group, as far as the group has them.
    pub floor: u64,
    /// The same minimum as a fraction of an equal share. The larger of the two applies.
    pub floor_ratio: F64Bits,
}

/// Indices of the columns, by their role.
pub struct Roles {
    /// Group keys.
    pub group: usize,
    /// Number of rows per group.
    pub size: usize,
    /// Weights.
    pub weight: Option<usize>,
    /// The budget, the same in all rows.
    pub budget: Option<usize>,
}

impl AllocateBudget {
    /// Assigns roles to `columns`.
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
}

impl RelationOperator for AllocateBudget {
    const NAME: &'static str = NAME;

    /// Passes all columns through and adds `allocated` and `budget_met`.
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        let input = only(NAME, inputs)?;
        let Some(Roles { group: _, size, weight, budget }) = self.roles(input.columns) else {
            return internal_err!("{NAME} works on two to four columns");
        };
        for (column, what) in [(Some(size), "size"), (weight, "weight"), (budget, "budget")] {
            let Some(field) = column.map(|column| input.schema.field(column)) else { continue };
            let fits = if what == "weight" { field.data_type().is_numeric() } else { field.data_type().is_integer() };
            if !fits {
                let kind = if what == "weight" { "a number" } else { "an integer" };
                return plan_err!("{NAME}: `{what} => {}` must be {kind}, not {}", field.name(), field.data_type());
            }
        }
        Ok(Output {
            passed: input.all(),
            added: vec![
                Field::new("allocated", DataType::Int64, false),
                Field::new("budget_met", DataType::Boolean, false),
            ],
        })
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        run::run(self, work).await
    }
}
