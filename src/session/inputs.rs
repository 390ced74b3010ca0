//! Plans the inputs of recipes separately: what a recipe reads in several places is planned once, and its rows are kept.
//!
//! DataFusion inlines a relation wherever it is named. A recipe names its input up to six times, so a chain of four recipes
//! would be planned a thousand times. An input that does more than read rows of files one by one therefore becomes a table of
//! its own, which the outer planner sees as a scan. Once it is known which columns the scans need, the input is planned for
//! those columns, separately.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, TableReference, internal_datafusion_err};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableScan, TableType};
use datafusion::physical_plan::ExecutionPlan;
use limpid_udfs::operators::materialize::list::without_list;
use limpid_udfs::operators::materialize::read::{InputExec, ReadExec};
use limpid_udfs::operators::materialize::share::is_costly_function;

/// A recipe's input that is planned separately.
#[derive(Debug, Clone)]
struct Input(Arc<Relation>);

#[derive(Debug)]
struct Relation {
    name: String,
    plan: LogicalPlan,
    schema: SchemaRef,
}

/// Wraps `plan` as a table of its own, which users know by `name`. Returns `plan` itself if reading it again costs little, or
/// if it depends on its context.
///
/// # Errors
/// None that a user can cause.
pub fn apart(name: &str, plan: LogicalPlan) -> Result<LogicalPlan> {
    if !stands_alone(&plan)? || is_by_row(&plan)? {
        return Ok(plan);
    }
    let schema = Arc::clone(plan.schema().inner());
    let input = Input(Arc::new(Relation { name: name.to_owned(), plan, schema }));
    LogicalPlanBuilder::scan(TableReference::bare(name), provider_as_source(Arc::new(input)), None)?.build()
}

/// Whether the plan means the same in any context.
fn stands_alone(plan: &LogicalPlan) -> Result<bool> {
    let mut names = HashSet::new();
    let mut alone = plan.schema().fields().iter().all(|field| names.insert(field.name()));
    plan.apply_with_subqueries(|node| {
        // A recursive query puts other rows under this name each time.
        if let LogicalPlan::TableScan(scan) = node {
            alone &= !source_as_provider(&scan.source).is_ok_and(|table| table.is::<CteWorkTable>());
        }
        node.apply_expressions(|expr| {
            let stands = !expr.exists(|expr| Ok(matches!(expr, Expr::Placeholder(_))))?;
            alone &= stands;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    plan.apply(|node| {
        alone &= !node.contains_outer_reference();
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(alone)
}

/// Whether it reads tables row by row, and does little with each.
fn is_by_row(plan: &LogicalPlan) -> Result<bool> {
    let is_costly = |expr: &Expr| {
        Ok(match expr {
            Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) | Expr::ScalarSubquery(_) => true,
            Expr::ScalarFunction(call) if is_costly_function(call.func.name()) => true,
            _ => expr.is_volatile_node(),
        })
    };
    let mut by_row = true;
    plan.apply(|node| {
        by_row &= match node {
            LogicalPlan::TableScan(scan) => input(scan).is_none(),
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::Unnest(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::EmptyRelation(_) => true,
            _ => false,
        };
        node.apply_expressions(|expr| {
            by_row &= !expr.exists(is_costly)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(if by_row { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(by_row)
}

fn input(scan: &TableScan) -> Option<Input> {
    source_as_provider(&scan.source).ok()?.downcast_ref::<Input>().cloned()
}

/// Whether a scan reads the input of a recipe.
pub fn is_input(scan: &TableScan) -> bool {
    input(scan).is_some()
}

/// The plans of all inputs that `plan` reads, directly or through other inputs, in order of dependency.
///
/// # Errors
/// None that a user can cause.
pub fn plans(plan: &LogicalPlan) -> Result<Vec<LogicalPlan>> {
    Ok(inputs(plan)?.into_iter().map(|input| input.0.plan.clone()).collect())
}

fn inputs(plan: &LogicalPlan) -> Result<Vec<Input>> {
    fn visit(plan: &LogicalPlan, seen: &mut HashSet<usize>, found: &mut Vec<Input>) -> Result<()> {
        for scan in scans(plan)? {
            if seen.insert(scan.input.key()) {
                visit(&scan.input.0.plan, seen, found)?;
                found.push(scan.input);
            }
        }
        Ok(())
    }
    let mut found = vec![];
    visit(plan, &mut HashSet::new(), &mut found)?;
    Ok(found)
}

/// A scan of an input.
struct Scan {
    input: Input,
    columns: Option<Vec<usize>>,
}

fn scans(plan: &LogicalPlan) -> Result<Vec<Scan>> {
    let mut found = vec![];
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(input) = input(scan)
        {
            found.push(Scan { input, columns: scan.projection.clone() });
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// What is read of an input.
#[derive(Default)]
struct Need {
    columns: BTreeSet<usize>,
    readers: usize,
}

/// An input with its plan.
#[derive(Debug, Clone)]
struct Planned {
    exec: Arc<InputExec>,
    /// The columns of the input that it has.
    columns: Vec<usize>,
}

/// Plans `plan`, which must be optimized, together with the inputs that it reads, using `planner`.
///
/// # Errors
/// An input cannot be planned.
pub async fn planned(
    plan: LogicalPlan,
    session: &dyn Session,
    planner: &(dyn QueryPlanner + Send + Sync),
) -> Result<LogicalPlan> {
    let inputs = inputs(&plan)?;
    if inputs.is_empty() {
        return Ok(plan);
    }
    let mut needs = HashMap::new();
    note(&plan, &mut needs)?;
    let mut optimized = vec![];
    // Inputs that read others come first, so that the needs of those are known when they are planned.
    for input in inputs.into_iter().rev() {
        let Some(need) = needs.get(&input.key()) else { continue };
        let (columns, readers) = (need.columns.iter().copied().collect::<Vec<_>>(), need.readers);
        let part = session.optimize(&input.part(&columns)?)?;
        note(&part, &mut needs)?;
        optimized.push((input, columns, readers, part));
    }
    let mut planned = HashMap::new();
    for (input, columns, readers, part) in optimized.into_iter().rev() {
        let exec = planner.create_physical_plan(&replaced(part, &planned)?, session).await?;
        let exec = Arc::new(InputExec::new(input.0.name.clone(), readers, without_list(exec)));
        planned.insert(input.key(), Planned { exec, columns });
    }
    replaced(plan, &planned)
}

impl Input {
    /// A key that distinguishes the input from others.
    fn key(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Its plan for some of its columns.
    fn part(&self, columns: &[usize]) -> Result<LogicalPlan> {
        let plan = &self.0.plan;
        if columns.len() == self.0.schema.fields().len() {
            return Ok(plan.clone());
        }
        let kept = columns.iter().map(|at| Expr::Column(plan.schema().qualified_field(*at).into()));
        LogicalPlanBuilder::from(plan.clone()).project(kept.collect::<Vec<_>>())?.build()
    }
}

fn note(plan: &LogicalPlan, needs: &mut HashMap<usize, Need>) -> Result<()> {
    for Scan { input, columns } in scans(plan)? {
        let need = needs.entry(input.key()).or_default();
        need.readers += 1;
        need.columns.extend(columns.unwrap_or_else(|| (0..input.0.schema.fields().len()).collect()));
        if need.columns.is_empty() {
            // If rows are only counted, read any column.
            need.columns.insert(0);
        }
    }
    Ok(())
}

/// `plan` with the inputs that are planned in the place of those that are not.
fn replaced(plan: LogicalPlan, planned: &HashMap<usize, Planned>) -> Result<LogicalPlan> {
    let replace = |node: LogicalPlan| {
        let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
        let Some(input) = input(&scan) else { return Ok(Transformed::no(LogicalPlan::TableScan(scan))) };
        let planned = planned.get(&input.key()).cloned();
        let planned = planned.ok_or_else(|| internal_datafusion_err!("{} is not planned", input.0.name))?;
        let schema = Arc::clone(&input.0.schema);
        scan.source = provider_as_source(Arc::new(PlannedInput { planned, schema }));
        Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
    };
    Ok(plan.transform_down_with_subqueries(replace)?.data)
}

#[async_trait]
impl TableProvider for Input {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    /// For planners that do not know inputs: each scan computes its own.
    async fn scan(
        &self,
        session: &dyn Session,
        columns: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<_> = (0..self.0.schema.fields().len()).collect();
        session.create_physical_plan(&self.part(columns.unwrap_or(&all))?).await
    }
}

/// An input that is planned.
#[derive(Debug)]
struct PlannedInput {
    planned: Planned,
    schema: SchemaRef,
}

#[async_trait]
impl TableProvider for PlannedInput {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        columns: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Planned { exec, columns: known } = &self.planned;
        let columns = columns.unwrap_or(known);
        let places = columns.iter().map(|at| known.binary_search(at));
        let places = places.collect::<Result<_, _>>();
        let places = places.map_err(|_| internal_datafusion_err!("a column of {} is not planned", exec.name))?;
        let schema = Arc::new(self.schema.project(columns)?);
        Ok(Arc::new(ReadExec::new(Arc::clone(exec), places, schema)))
    }
}
