//! From `exact_dedup(relation, ...)` to its node.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{Expr, ExprSchemable, Extension, LogicalPlan, LogicalPlanBuilder};

use crate::operators::args::Args;
use crate::operators::dedup::node::DedupNode;
use crate::operators::dedup::{Rule, SKETCH};

/// The SQL name.
pub const NAME: &str = "exact_dedup";

/// The arguments it takes.
pub const ARGUMENTS: &[&str] = &["text", "id", "order_by"];

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let text = Expr::Column(args.column("text", Some("text"))?);
    let id = args.column("id", Some("id"))?;
    let order_by = args.order_by()?;
    let input = args.input().clone();
    with_sketch(NAME, input, &text, text.clone(), Rule::Exact, id, order_by)
}

/// `input` with `sketch` of the column `text` beside its columns, under the node that decides.
pub(crate) fn with_sketch(
    name: &str,
    input: LogicalPlan,
    text: &Expr,
    sketch: Expr,
    rule: Rule,
    id: datafusion::common::Column,
    order_by: Vec<datafusion::logical_expr::SortExpr>,
) -> Result<LogicalPlan> {
    match text.get_type(input.schema())? {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {}
        other => return plan_err!("{name}: `text => {text}` must be a text column, not {other}; CAST it"),
    }
    let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
    let below = LogicalPlanBuilder::from(input).project(columns.into_iter().chain([sketch.alias(SKETCH)]))?.build()?;
    let node = DedupNode::try_new(name, below, rule, id, order_by)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}
