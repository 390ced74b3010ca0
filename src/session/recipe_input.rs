//! Plans the input of a recipe, see [`crate::recipes::input`].

use datafusion::common::{Result, plan_datafusion_err, plan_err};
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{Expr as Logical, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, TableFactor, Value};

use super::inputs;
use crate::recipes::input::{NAME, Needs};

/// Plans `FROM recipe_input(...)`.
#[derive(Debug)]
pub struct InputPlanner {
    /// Whether the session plans inputs apart, see [`inputs`].
    pub apart: bool,
}

impl RelationPlanner for InputPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        match relation {
            TableFactor::Table { name, args: Some(args), alias, .. } if name.to_string().eq_ignore_ascii_case(NAME) => {
                let plan = plan(&args.args, context, self.apart)?;
                Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
            }
            other => Ok(RelationPlanning::Original(Box::new(other))),
        }
    }
}

fn plan(args: &[FunctionArg], context: &mut dyn RelationPlannerContext, apart: bool) -> Result<LogicalPlan> {
    let [
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Subquery(query))),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(needs))),
    ] = args
    else {
        return plan_err!("{NAME} stands in recipes only: it takes a query and what the recipe needs of it");
    };
    let Value::SingleQuotedString(needs) = &needs.value else { return plan_err!("{NAME} takes text") };
    let needs: Needs = serde_json::from_str(needs).map_err(|error| plan_datafusion_err!("{NAME}: {error}"))?;
    let input = TableFactor::Derived { lateral: false, subquery: query.clone(), alias: None, sample: None };
    let input = context.plan(input)?;
    needs.check(input.schema())?;
    let schema = input.schema();
    let kept = schema.iter().filter(|(_, field)| !needs.adds.contains(field.name()));
    let kept: Vec<Logical> = kept.map(|column| Logical::Column(column.into())).collect();
    let plan = match kept.len() == schema.fields().len() {
        true => input,
        false => LogicalPlanBuilder::from(input.clone()).project(kept)?.build()?,
    };
    if apart { inputs::apart(&needs.label(), plan) } else { Ok(plan) }
}
