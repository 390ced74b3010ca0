//! `FROM docs, LATERAL unnest(docs.tags) AS t(tag)`: joins each row with the items of its list.
//!
//! DataFusion plans this as a join with a subquery that reads no table, and cannot run it. Here the steps of that subquery
//! are applied to the rows on the left and carry their columns along.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, NullHandling, Result};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{EmptyRelation, Expr, Filter, Join, JoinType, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::AnalyzerRule;
use datafusion::scalar::ScalarValue;

/// Carries out lateral joins with `unnest`.
#[derive(Debug)]
pub struct LateralUnnest;

impl AnalyzerRule for LateralUnnest {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            Ok(match &plan {
                LogicalPlan::Join(join) => match carry_out(join)? {
                    Some(plan) => Transformed::yes(plan),
                    None => Transformed::no(plan),
                },
                _ => Transformed::no(plan),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "lateral_unnest"
    }
}

/// The plan of a lateral join; `None` if `join` is another kind of join.
fn carry_out(join: &Join) -> Result<Option<LogicalPlan>> {
    let is_true = |filter: &Expr| matches!(filter, Expr::Literal(ScalarValue::Boolean(Some(true)), _));
    let conditions = join.on.iter().map(|(left, right)| left.clone().eq(right.clone()));
    let conditions = conditions.chain(join.filter.iter().filter(|filter| !is_true(filter)).cloned());
    let condition = conjunction(conditions);
    let nulls = match join.join_type {
        JoinType::Inner => NullHandling::Drop,
        JoinType::Left if condition.is_none() => NullHandling::PreserveAndExpandEmpty,
        _ => return Ok(None),
    };
    if !unnests(&join.right) {
        return Ok(None);
    }
    let left = Left::new(&join.left)?;
    let plan = left.under(&join.right, nulls)?;
    // The columns of the join, under their names.
    let (right, taken) = split(&plan, &left);
    let named = |columns: Vec<Column>, side: &LogicalPlan| -> Vec<Expr> {
        let names = side.schema().iter().map(|(table, field)| (table.cloned(), field.name().clone()));
        let expr = |(column, (table, name))| Expr::Column(column).alias_qualified(table, name);
        columns.into_iter().zip(names).map(expr).collect()
    };
    let columns = [named(taken, &join.left), named(right, &join.right)].concat();
    let plan = LogicalPlanBuilder::from(plan).project(columns)?.build()?;
    Ok(Some(match condition {
        Some(condition) => LogicalPlan::Filter(Filter::try_new(condition, Arc::new(plan))?),
        None => plan,
    }))
}

/// Whether the plan is a lateral subquery that unnests and reads no table.
fn unnests(plan: &LogicalPlan) -> bool {
    let (mut lateral, mut unnest, mut at) = (false, false, plan);
    loop {
        match at {
            LogicalPlan::Subquery(subquery) => lateral |= !subquery.outer_ref_columns.is_empty(),
            LogicalPlan::Unnest(_) => unnest = true,
            LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: true, .. }) => return lateral && unnest,
            _ => {}
        }
        let Some(input) = input(at) else { return false };
        at = input;
    }
}

/// The input of a step that can carry columns along.
fn input(step: &LogicalPlan) -> Option<&LogicalPlan> {
    match step {
        LogicalPlan::Subquery(subquery) => Some(&subquery.subquery),
        LogicalPlan::SubqueryAlias(alias) => Some(&alias.input),
        LogicalPlan::Projection(projection) => Some(&projection.input),
        LogicalPlan::Unnest(unnest) => Some(&unnest.input),
        LogicalPlan::Filter(filter) => Some(&filter.input),
        _ => None,
    }
}

/// The rows on the left, with their columns renamed to be unique.
struct Left {
    plan: LogicalPlan,
    columns: Vec<Column>,
    originals: Vec<Column>,
}

/// Splits the columns of `plan` into its own and those carried along behind them.
fn split(plan: &LogicalPlan, left: &Left) -> (Vec<Column>, Vec<Column>) {
    let mut columns = plan.schema().columns();
    let taken = columns.split_off(columns.len() - left.columns.len());
    (columns, taken)
}

impl Left {
    fn new(plan: &LogicalPlan) -> Result<Self> {
        let originals = plan.schema().columns();
        let names: Vec<String> = (0..originals.len()).map(|at| format!("__lateral_{at}")).collect();
        let renamed = originals.iter().zip(&names).map(|(column, name)| Expr::Column(column.clone()).alias(name));
        let plan = LogicalPlanBuilder::from(plan.clone()).project(renamed.collect::<Vec<_>>())?.build()?;
        let columns = names.into_iter().map(Column::new_unqualified).collect();
        Ok(Self { plan, columns, originals })
    }

    /// The steps of `plan` on top of these rows.
    fn under(&self, plan: &LogicalPlan, nulls: NullHandling) -> Result<LogicalPlan> {
        // `unnests` has seen that all steps are among these, down to the relation of one row.
        let Some(below) = input(plan) else { return Ok(self.plan.clone()) };
        let input = self.under(below, nulls)?;
        let builder = LogicalPlanBuilder::from(input.clone());
        let taken = || self.columns.iter().cloned().map(Expr::Column);
        let built = match plan {
            LogicalPlan::SubqueryAlias(alias) => {
                let (own, _) = split(&input, self);
                let names = alias.schema.iter().map(|(table, field)| (table.cloned(), field.name().clone()));
                let expr = |(column, (table, name))| Expr::Column(column).alias_qualified(table, name);
                builder.project(own.into_iter().zip(names).map(expr).chain(taken()))?
            }
            LogicalPlan::Projection(projection) => {
                let mut expressions = vec![];
                for (expr, (table, field)) in projection.expr.iter().zip(projection.schema.iter()) {
                    let expr = self.resolve(expr.clone())?;
                    let same = expr.qualified_name() == (table.cloned(), field.name().clone());
                    let named = if same { expr } else { expr.alias_qualified(table.cloned(), field.name()) };
                    expressions.push(named);
                }
                builder.project(expressions.into_iter().chain(taken()))?
            }
            LogicalPlan::Unnest(unnest) => {
                let mut options = unnest.options.clone();
                options.null_handling = nulls;
                builder.unnest_columns_with_options(unnest.exec_columns.clone(), options)?
            }
            LogicalPlan::Filter(filter) => builder.filter(self.resolve(filter.predicate.clone())?)?,
            _ => return Ok(input),
        };
        built.build()
    }

    /// Replaces columns of the outer query by those carried along.
    fn resolve(&self, expr: Expr) -> Result<Expr> {
        expr.transform(|expr| {
            let Expr::OuterReferenceColumn(_, column) = &expr else { return Ok(Transformed::no(expr)) };
            let place = self.originals.iter().position(|original| original == column);
            Ok(match place {
                Some(place) => Transformed::yes(Expr::Column(self.columns[place].clone())),
                None => Transformed::no(expr),
            })
        })
        .data()
    }
}
