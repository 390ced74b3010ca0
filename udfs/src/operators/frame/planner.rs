//! Integration with DataFusion: planning of SQL calls into logical nodes, and of logical nodes into physical ones.

use std::sync::Arc;

use arrow::compute::SortOptions;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{Expr, LogicalPlan, SortExpr, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use datafusion::sql::sqlparser::ast::TableFactor;

use super::args::Args;
use super::exec::{OperatorExec, OperatorSpec};
use super::list::{self, Operators};
use super::node::OperatorNode;
use crate::operators::frame::materialize::exec::MaterializeExec;
use crate::operators::frame::materialize::node::MaterializeNode;

/// Plans `FROM op(relation, name => value, ...)`.
#[derive(Debug)]
pub struct OperatorPlanner {
    /// The operators that SQL may call.
    pub operators: Operators,
}

impl RelationPlanner for OperatorPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let called = match &relation {
            TableFactor::Table { name, args: Some(_), .. } => {
                list::sql(self.operators, &name.to_string().to_lowercase())
            }
            _ => None,
        };
        match (called, relation) {
            (Some(sql), TableFactor::Table { args: Some(args), alias, .. }) => {
                let plan = (sql.plan)(Args::parse(sql.name, sql.arguments, args, context)?)?;
                Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
            }
            (_, relation) => Ok(RelationPlanning::Original(Box::new(relation))),
        }
    }
}

/// DataFusion's query planner, extended by the nodes of operators, for a session without other custom nodes.
#[derive(Debug)]
pub struct OperatorQueryPlanner;

#[async_trait]
impl QueryPlanner for OperatorQueryPlanner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(OperatorExtensionPlanner)]);
        planner.create_physical_plan(plan, session).await
    }
}

/// Plans the physical node of a logical one.
#[derive(Debug)]
pub struct OperatorExtensionPlanner;

#[async_trait]
impl ExtensionPlanner for OperatorExtensionPlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        if let (true, [input]) = (node.as_any().is::<MaterializeNode>(), inputs) {
            return Ok(Some(Arc::new(MaterializeExec::new(Arc::clone(input)))));
        }
        let Some(node) = node.as_any().downcast_ref::<OperatorNode>() else { return Ok(None) };
        let mut columns = vec![];
        for (input, list) in node.inputs.iter().zip(&node.columns) {
            let schema = input.schema();
            columns.push(list.iter().map(|column| schema.index_of_column(column)).collect::<Result<_>>()?);
        }
        let order_by = match node.inputs.first() {
            Some(first) => order(node.operator.name(), first.schema(), &node.order_by)?,
            None => vec![],
        };
        let spec = OperatorSpec { operator: node.operator.clone(), columns, order_by };
        Ok(Some(Arc::new(OperatorExec::try_new(spec, inputs.to_vec())?)))
    }
}

fn order(op: &str, below: &DFSchema, order_by: &[SortExpr]) -> Result<Vec<(usize, SortOptions)>> {
    let order_by = order_by.iter().map(|sort| match &sort.expr {
        Expr::Column(column) => {
            let options = SortOptions { descending: !sort.asc, nulls_first: sort.nulls_first };
            Ok((below.index_of_column(column)?, options))
        }
        other => plan_err!("{op} orders by columns only, not `{other}`"),
    });
    order_by.collect()
}
