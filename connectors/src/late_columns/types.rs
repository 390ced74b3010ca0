//! Short names for types.

use std::sync::Arc;

use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;

pub type Expr = Arc<dyn PhysicalExpr>;
pub type Plan = Arc<dyn ExecutionPlan>;
