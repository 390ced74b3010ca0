//! Planning steps shared by several operators.

use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};

use crate::functions::vector::embeddings;
use crate::kernels::vector::search::Metric;
use crate::operators::frame::args::Args;
use crate::operators::frame::operator::COMPARED_COLUMN;

/// Parses `metric => 'cosine' | 'l2'`.
pub fn metric(args: &mut Args) -> Result<Metric> {
    args.choice("metric", &[("cosine", Metric::Cosine), ("l2", Metric::L2)])
}

/// Plans the input with a copy of its vector column, called [`COMPARED_COLUMN`]. The operator drops the copy, while column
/// pruning decides whether the user sees the original.
pub fn with_vectors(op: &str, args: &mut Args) -> Result<(LogicalPlan, Column)> {
    let name = args.column("vector")?;
    add_vectors(op, args.input().clone(), name)
}

/// Adds a copy of the vector column `name`, called [`COMPARED_COLUMN`], to a relation.
pub fn add_vectors(op: &str, input: LogicalPlan, name: Column) -> Result<(LogicalPlan, Column)> {
    let vectors = Expr::Column(name);
    let given = vectors.get_type(input.schema())?;
    let read_as = embeddings::coerce(&format!("{op}: `vector => {vectors}`"), &given)?;
    let vectors = if given == read_as { vectors } else { Expr::Cast(Cast::new(Box::new(vectors), read_as)) };
    let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
    let plan = LogicalPlanBuilder::from(input)
        .project(columns.into_iter().chain([vectors.alias(COMPARED_COLUMN)]))?
        .build()?;
    Ok((plan, Column::new_unqualified(COMPARED_COLUMN)))
}
