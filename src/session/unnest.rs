//! `unnest(list) AS item`: items are named by the alias, as in PostgreSQL, and fields of a struct by their names.

use arrow::datatypes::{DataType, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{TableAliasColumnDef, TableFactor};

/// Names the columns of `unnest` in FROM where the statement does not.
#[derive(Debug)]
pub struct UnnestNames;

impl RelationPlanner for UnnestNames {
    fn plan_relation(
        &self,
        mut relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let named = match &mut relation {
            TableFactor::UNNEST { alias, array_exprs, .. } if array_exprs.len() == 1 => {
                alias.take_if(|alias| alias.columns.is_empty())
            }
            _ => None,
        };
        let Some(mut alias) = named else { return Ok(RelationPlanning::Original(Box::new(relation))) };
        let mut plan = context.plan(relation)?;
        match fields(&plan) {
            Some(fields) => {
                let columns = plan.schema().columns().into_iter().zip(&fields);
                let columns = columns.map(|(column, field)| Expr::Column(column).alias(field.name()));
                plan = LogicalPlanBuilder::from(plan.clone()).project(columns.collect::<Vec<_>>())?.build()?;
            }
            None => alias.columns.push(TableAliasColumnDef { name: alias.name.clone(), data_type: None }),
        }
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, Some(alias)))))
    }
}

/// The fields of the struct that `plan` unnests; `None` if it unnests a list.
fn fields(plan: &LogicalPlan) -> Option<Fields> {
    let mut at = plan;
    loop {
        at = match at {
            LogicalPlan::Unnest(unnest) => {
                let place = *unnest.struct_type_columns.first()?;
                return match unnest.input.schema().field(place).data_type() {
                    DataType::Struct(fields) => Some(fields.clone()),
                    _ => None,
                };
            }
            LogicalPlan::Projection(projection) => &projection.input,
            _ => return None,
        };
    }
}
