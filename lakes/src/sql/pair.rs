//! `table_containment(child, parent)`: any two relations, by grouping and joining their row hashes.
//!
//! Built from the engine's own operators, so it spills, runs on all partitions and travels over a cluster.

use arrow::datatypes::DataType;
use datafusion::common::{Column, JoinType, Result, plan_err};
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, cast, col, lit, when};
use datafusion::sql::sqlparser::ast::{self, TableFactor};

use super::TABLE_CONTAINMENT;
use crate::functions::row_hash::RowHash;
use crate::lake::footer::normal;
use crate::options::{Options, Rows};
use crate::verify::State;

/// State of a pair that is no containment.
const DISPROVED: &str = "disproved";
/// State of a child without rows.
const EMPTY: &str = "empty";

/// Plans an argument that is a relation.
///
/// # Errors
/// It is none, or does not plan.
pub fn relation(expr: &ast::Expr, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    match expr {
        ast::Expr::Subquery(query) => {
            let subquery = query.clone();
            context.plan(TableFactor::Derived { lateral: false, subquery, alias: None, sample: None })
        }
        ast::Expr::Nested(inner) => relation(inner, context),
        other => plan_err!("{TABLE_CONTAINMENT}: `{other}` is no relation; give (SELECT ...) or a table"),
    }
}

/// The plan of one row that says whether `child` is in `parent`.
///
/// # Errors
/// A child without columns, or types that cannot be compared.
pub fn plan(child: LogicalPlan, parent: LogicalPlan, options: &Options) -> Result<LogicalPlan> {
    let name = |column: &Column| normal(&column.name, options.names);
    let (ours, theirs) = (child.schema().columns(), parent.schema().columns());
    if ours.is_empty() {
        return plan_err!("{TABLE_CONTAINMENT}: the child has no columns");
    }
    let mut pairs = vec![];
    let mut missing = vec![];
    for column in &ours {
        match theirs.iter().find(|other| name(other) == name(column)) {
            Some(other) => pairs.push((column.clone(), other.clone())),
            None => missing.push(column.name.clone()),
        }
    }
    let whole = missing.is_empty();
    let evidence = match whole {
        true => "row hashes".to_owned(),
        false => format!("the parent has no column {}", missing.join(", ")),
    };
    let shared = pairs.len() as i64;
    // Without all columns no row can be found, but rows are counted all the same.
    let (hashed, searched): (Vec<Column>, Vec<Column>) = if whole { pairs.into_iter().unzip() } else { (ours, theirs) };
    let child = grouped(child, hashed, "child")?;
    let parent = grouped(parent, searched, "parent")?;
    let side = |side: &str, name: &str| col(Column::new(Some(side), name));
    let joined = LogicalPlanBuilder::from(child).join_on(
        parent,
        JoinType::Full,
        [side("child", HASH).eq(side("parent", HASH))],
    )?;
    let both = side("child", HASH).is_not_null().and(side("parent", HASH).is_not_null());
    let (ours, theirs) = (side("child", ROWS), side("parent", ROWS));
    let (mine, common) = match options.rows {
        Rows::Multiset => (ours.clone(), when(ours.clone().lt_eq(theirs.clone()), ours).otherwise(theirs.clone())?),
        Rows::Set => (when(side("child", HASH).is_not_null(), lit(1_i64)).end()?, lit(1_i64)),
    };
    let common = if whole { when(both, common).otherwise(lit(0_i64))? } else { lit(0_i64) };
    let sums = [sum(mine), sum(common), sum(theirs)].into_iter().zip(TOTALS).map(|(sum, name)| sum.alias(name));
    let totals = joined.aggregate(Vec::<Expr>::new(), sums)?;
    // No rows on either side have no sum.
    let number = |name: &str| when(col(name).is_null(), lit(0_i64)).otherwise(cast(col(name), DataType::Int64));
    let numbers = TOTALS.map(|name| Ok(number(name)?.alias(name))).into_iter().collect::<Result<Vec<_>>>()?;
    let totals = totals.project(numbers)?;
    let [rows, matched, parent_rows] = TOTALS.map(col);
    let share = |of: &Expr| cast(of.clone(), DataType::Float64);
    let none = rows.clone().eq(lit(0_i64));
    let contained = matched.clone().eq(rows.clone());
    let state = when(none.clone(), lit(EMPTY))
        .when(contained.clone(), lit(State::HashExact.name()))
        .otherwise(lit(DISPROVED))?;
    let similarity = when(none, lit(1.0_f64)).otherwise(share(&matched) / share(&rows))?;
    totals
        .project([
            contained.alias("contained"),
            state.alias("state"),
            similarity.alias("similarity"),
            rows.alias("child_rows"),
            matched.alias("matched_rows"),
            parent_rows.alias("parent_rows"),
            lit(shared).alias("shared_columns"),
            lit(evidence).alias("evidence"),
        ])?
        .build()
}

const HASH: &str = "row_hash";
const ROWS: &str = "rows";
const TOTALS: [&str; 3] = ["child_rows", "matched_rows", "parent_rows"];

/// Different rows of a relation over these columns, and how often each is there.
fn grouped(input: LogicalPlan, columns: Vec<Column>, side: &str) -> Result<LogicalPlan> {
    let hash = ScalarUDF::new_from_impl(RowHash::default()).call(columns.into_iter().map(Expr::Column).collect());
    LogicalPlanBuilder::from(input)
        .project([hash.alias(HASH)])?
        .aggregate([col(HASH)], [count(lit(1_i64)).alias(ROWS)])?
        .alias(side)?
        .build()
}
