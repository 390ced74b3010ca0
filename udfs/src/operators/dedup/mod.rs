//! What the deduplicators share: survivor order, row keys, the exact decisions and their columns.
//!
//! Semantics. Rows are taken in survivor order (`order_by`, then id). A row is removed if and only if an earlier kept
//! row is verified similar: the lexicographically first maximal independent set of the verified graph. New columns:
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `keep` | Boolean | whether the row survives |
//! | `duplicate_of` | type of id | for a removed row, the first kept row in survivor order verified similar to it |
//! | `similarity` | Float64 | the exact similarity of the two |
//! | `cluster_id` | type of id | the smallest id of the row's connected component in the verified graph |

pub mod contents;
pub mod decisions;
pub mod matcher;
pub mod ranks;
pub mod resolution;
pub mod run;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, Result, plan_err};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};

use super::frame::operator::{COMPARED_COLUMN, Input, Output, only};

/// The output columns: all input columns except the compared one, followed by the decision.
///
/// # Errors
/// There is more than one input.
pub fn output(op: &str, inputs: &[Input<'_>]) -> Result<Output> {
    let input = only(op, inputs)?;
    let id = input.field(1)?.data_type();
    Ok(Output {
        passed: input.without(COMPARED_COLUMN),
        added: vec![
            Field::new("keep", DataType::Boolean, false),
            Field::new("duplicate_of", id.clone(), true),
            Field::new("similarity", DataType::Float64, true),
            Field::new("cluster_id", id.clone(), false),
        ],
    })
}

/// The columns that a deduplicator works on: the compared one and the row key.
pub fn columns(id: Column) -> Vec<Column> {
    vec![Column::new_unqualified(COMPARED_COLUMN), id]
}

/// Adds a copy of the column `text` to `input`, by which rows are compared. The user's column is then read further on only if
/// the output contains it.
///
/// # Errors
/// The column is not of a text type.
pub fn with_text(op: &str, input: LogicalPlan, text: Expr) -> Result<LogicalPlan> {
    match text.get_type(input.schema())? {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {}
        other => return plan_err!("{op}: `text => {text}` must be a text column, not {other}; CAST it"),
    }
    let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
    LogicalPlanBuilder::from(input).project(columns.into_iter().chain([text.alias(COMPARED_COLUMN)]))?.build()
}
