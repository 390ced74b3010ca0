//! From SQL to a plan.

use std::sync::Arc;

use datafusion::common::{Result, plan_err};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{Expr, TableFactor, TableFunctionArgs, Value, ValueWithSpan};

use super::args::Args;
use super::leaf::{LakeFunction, Work};
use super::{LAKE_TABLES, RETENTION_PLAN, TABLE_CONTAINMENT, pair};
use crate::options::Names;
use crate::retention::Prices;

/// Plans `FROM lake_tables(...)` and `FROM table_containment(...)`.
#[derive(Debug)]
pub struct LakePlanner;

const LISTING: &[&str] = &["layout", "names"];
const COMPARING: &[&str] =
    &["stage", "rows", "types", "names", "layout", "threshold", "sample_rows", "confidence", "seed"];
const RETAINING: &[&str] = &["stage", "types", "names", "layout"];
const PAIR: &[&str] = &["rows", "names"];

impl RelationPlanner for LakePlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let name = match &relation {
            TableFactor::Table { name, args: Some(_), .. } => name.to_string().to_lowercase(),
            _ => String::new(),
        };
        let plan: fn(TableFunctionArgs, &mut dyn RelationPlannerContext) -> Result<LogicalPlan> = match name.as_str() {
            LAKE_TABLES => list,
            TABLE_CONTAINMENT => compare,
            RETENTION_PLAN => retain,
            _ => return Ok(RelationPlanning::Original(Box::new(relation))),
        };
        match relation {
            TableFactor::Table { args: Some(args), alias, .. } => {
                let plan = plan(args, context)?;
                Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
            }
            relation => Ok(RelationPlanning::Original(Box::new(relation))),
        }
    }
}

fn list(args: TableFunctionArgs, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let mut args = Args::parse(LAKE_TABLES, LISTING, args, context)?;
    let url = match args.unnamed.as_slice() {
        [one] => url(one),
        _ => None,
    };
    let Some(url) = url else { return plan_err!("{LAKE_TABLES} takes one path: {LAKE_TABLES}('folder')") };
    leaf(LAKE_TABLES, url, Work::Tables(args.options()?))
}

fn retain(args: TableFunctionArgs, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let mut args = Args::parse(RETENTION_PLAN, &[&Prices::NAMES, RETAINING].concat(), args, context)?;
    let url = match args.unnamed.as_slice() {
        [one] => url(one),
        _ => None,
    };
    let Some(url) = url else { return plan_err!("{RETENTION_PLAN} takes one path: {RETENTION_PLAN}('folder')") };
    let (options, prices) = (args.options()?, args.prices()?);
    if options.names == Names::Any {
        return plan_err!(
            "{RETENTION_PLAN}: `names` must be one of 'fold', 'exact': tables are rebuilt by the names of columns"
        );
    }
    if !options.stage.reads_all_rows() {
        return plan_err!("{RETENTION_PLAN}: `stage` must be 'exact' or 'bytes': a plan rests on all rows");
    }
    leaf(RETENTION_PLAN, url, Work::Retention(options, prices))
}

fn compare(args: TableFunctionArgs, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let known = if args.args.len() > 1 && is_unnamed(&args, 1) { PAIR } else { COMPARING };
    let mut args = Args::parse(TABLE_CONTAINMENT, known, args, context)?;
    let options = args.options()?;
    match std::mem::take(&mut args.unnamed).as_mut_slice() {
        [one] => match url(one) {
            Some(url) => leaf(TABLE_CONTAINMENT, url, Work::Containment(options)),
            None => {
                plan_err!("{TABLE_CONTAINMENT}: `{one}` is no path in quotes; or give two relations, child and parent")
            }
        },
        [child, parent] => {
            let (child, parent) = (pair::relation(child, context)?, pair::relation(parent, context)?);
            pair::plan(child, parent, &options)
        }
        _ => plan_err!("{TABLE_CONTAINMENT} takes one path, or two relations: child and parent"),
    }
}

fn is_unnamed(args: &TableFunctionArgs, at: usize) -> bool {
    matches!(args.args.get(at), Some(datafusion::sql::sqlparser::ast::FunctionArg::Unnamed(_)))
}

fn url(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(path), .. }) => Some(path.clone()),
        _ => None,
    }
}

fn leaf(name: &'static str, url: String, work: Work) -> Result<LogicalPlan> {
    let function = Arc::new(LakeFunction::new(name, url, work));
    LogicalPlanBuilder::scan(name, provider_as_source(function), None)?.build()
}
