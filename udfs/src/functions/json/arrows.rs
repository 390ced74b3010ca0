//! `json -> path` and `json ->> path`.

use std::sync::Arc;

use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::sqlparser::ast::BinaryOperator;
use datafusion::logical_expr::{Expr, ScalarUDF, lit};

use super::json_extract::JsonExtract;
use super::json_extract_string::JsonExtractString;

/// Plans the arrow operators as calls of `json_extract` and `json_extract_string`.
#[derive(Debug)]
pub struct JsonArrows;

impl ExprPlanner for JsonArrows {
    fn plan_binary_op(&self, expr: RawBinaryExpr, _: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let function = match &expr.op {
            BinaryOperator::Arrow => ScalarUDF::from(JsonExtract::default()),
            BinaryOperator::LongArrow => ScalarUDF::from(JsonExtractString::default()),
            _ => return Ok(PlannerResult::Original(expr)),
        };
        // A number selects an array item.
        let path = match expr.right {
            Expr::Literal(ScalarValue::Int64(Some(item)), _) => lit(format!("$[{item}]")),
            other => other,
        };
        Ok(PlannerResult::Planned(Arc::new(function).call(vec![expr.left, path])))
    }
}
