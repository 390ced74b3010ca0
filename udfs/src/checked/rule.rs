//! The analyzer rule that replaces operators by checked functions.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, ScalarUDF};
use datafusion::optimizer::AnalyzerRule;

use super::arithmetic::function;
use super::operation::Operation;

/// Replaces operators on integers and decimals by functions that return an error if the result is out of range.
///
/// The rule runs after type coercion, when the type of every operand is known, and before constant folding.
#[derive(Debug)]
pub struct CheckedArithmetic {
    functions: Vec<(Operation, Arc<ScalarUDF>)>,
}

impl Default for CheckedArithmetic {
    fn default() -> Self {
        Self { functions: Operation::ALL.into_iter().map(|operation| (operation, function(operation))).collect() }
    }
}

impl AnalyzerRule for CheckedArithmetic {
    fn name(&self) -> &str {
        "checked_arithmetic"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(|plan| self.node(plan))?.data)
    }
}

impl CheckedArithmetic {
    fn node(&self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let mut schema = merge_schema(&plan.inputs());
        if let LogicalPlan::TableScan(scan) = &plan {
            schema.merge(&DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?);
        }
        let names = NamePreserver::new(&plan);
        let changed = plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_up(|expr| Ok(self.expr(expr, &schema)))?;
            Ok(if expr.transformed { expr.update_data(|expr| name.restore(expr)) } else { expr })
        })?;
        if changed.transformed { changed.map_data(LogicalPlan::recompute_schema) } else { Ok(changed) }
    }

    fn expr(&self, expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let types = left.get_type(schema).ok().zip(right.get_type(schema).ok());
                match types.and_then(|(l, r)| Operation::of(op, &l, &r)) {
                    Some(operation) => Transformed::yes(self.call(operation, vec![*left, *right])),
                    None => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
                }
            }
            // Fold a negative literal with a function that checks the range.
            Expr::Negative(inner)
                if !matches!(*inner, Expr::Literal(..))
                    && inner.get_type(schema).is_ok_and(|data_type| data_type.is_signed_integer()) =>
            {
                Transformed::yes(self.call(Operation::Negate, vec![*inner]))
            }
            other => Transformed::no(other),
        }
    }

    fn call(&self, operation: Operation, args: Vec<Expr>) -> Expr {
        let known = self.functions.iter().find(|(known, _)| *known == operation);
        let function = known.map_or_else(|| function(operation), |(_, function)| Arc::clone(function));
        Expr::ScalarFunction(ScalarFunction::new_udf(function, args))
    }
}
