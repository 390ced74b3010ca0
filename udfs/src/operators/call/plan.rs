//! Steps of planning that several operators take.

use std::sync::Arc;

use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, Extension, LogicalPlan, LogicalPlanBuilder, SortExpr};

use super::Call;
use super::node::CallNode;
use crate::functions::vector::embeddings;
use crate::kernels::vector::search::Metric;
use crate::operators::args::Args;
use crate::operators::dedup::SKETCH;

/// The metrics by name.
pub const METRICS: &[&str] = &["cosine", "l2"];

/// `metric => 'cosine' | 'l2'`.
pub fn metric(args: &mut Args) -> Result<Metric> {
    Ok(Metric::from_name(args.choice("metric", Some("cosine"), METRICS)?.as_deref().unwrap_or_default()))
}

/// The input with its column of vectors beside its own columns as [`SKETCH`], so that the operator may take it away while
/// column pruning decides whether the user sees the original.
pub fn with_vectors(op: &str, args: &mut Args) -> Result<(LogicalPlan, Column)> {
    let name = args.column("vec", Some("embedding"))?;
    add_vectors(op, args.input().clone(), name)
}

/// A relation with its column `name` of vectors beside its own columns as [`SKETCH`].
pub fn add_vectors(op: &str, input: LogicalPlan, name: Column) -> Result<(LogicalPlan, Column)> {
    let vectors = Expr::Column(name);
    let given = vectors.get_type(input.schema())?;
    let read_as = embeddings::coerce(&format!("{op}: `vec => {vectors}`"), &given)?;
    let vectors = if given == read_as { vectors } else { Expr::Cast(Cast::new(Box::new(vectors), read_as)) };
    let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
    let plan = LogicalPlanBuilder::from(input).project(columns.into_iter().chain([vectors.alias(SKETCH)]))?.build()?;
    Ok((plan, Column::new_unqualified(SKETCH)))
}

/// The plan of a call.
pub fn call(
    call: Call,
    inputs: Vec<LogicalPlan>,
    columns: Vec<Vec<Column>>,
    order_by: Vec<SortExpr>,
) -> Result<LogicalPlan> {
    let node = CallNode::try_new(call, inputs, columns, order_by)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}
