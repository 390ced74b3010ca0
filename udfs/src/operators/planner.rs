//! Where the relation operators meet DataFusion: SQL to logical nodes, logical nodes to physical ones.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::common::{Column, DFSchema, Result, plan_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{Expr, LogicalPlan, SortExpr, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use datafusion::sql::sqlparser::ast::TableFactor;

use super::analysis::exec::AnalysisExec;
use super::analysis::node::AnalysisNode;
use super::args::Args;
use super::call::exec::{CallExec, CallSpec};
use super::call::node::CallNode;
use super::connected_components::exec::ComponentsExec;
use super::connected_components::node::ComponentsNode;
use super::connected_components::plan as connected_components;
use super::dedup::exec::{DedupExec, DedupSpec};
use super::dedup::node::DedupNode;
use super::dedup::{Rule, SKETCH, Similar};
use super::embed::plan as embed;
use super::fit_softmax::plan as fit_softmax;
use super::graph_filter::plan as graph_filter;
use super::influence::plan as influence;
use super::materialize::exec::MaterializeExec;
use super::materialize::node::MaterializeNode;
use super::materialize::plan as materialize;
use super::minhash_dedup::exec::SketchExec;
use super::multilinear_importance::plan as multilinear_importance;
use super::spectral_clusters::plan as spectral_clusters;
use super::{
    allocate_budget::plan as allocate_budget, assign_nearest::plan as assign_nearest,
    concept_clusters::plan as concept_clusters, exact_dedup::plan as exact_dedup,
    farthest_first::plan as farthest_first, kmeans::plan as kmeans, max_prior_similarity::plan as max_prior_similarity,
    minhash_dedup::plan as minhash_dedup, nearest_neighbors::plan as nearest_neighbors,
    semantic_dedup::plan as semantic_dedup,
};
use crate::functions::json::arrows::JsonArrows;
use crate::functions::text::string_to_array::StringToArray;

/// Plans `FROM op(relation, name => value, ...)`.
#[derive(Debug)]
pub struct OperatorPlanner;

type Plan = fn(Args) -> Result<LogicalPlan>;

/// The operator of that name: its arguments and how it is planned.
fn operator(name: &str) -> Option<(&'static str, &'static [&'static str], Plan)> {
    Some(match name {
        exact_dedup::NAME => (exact_dedup::NAME, exact_dedup::ARGUMENTS, exact_dedup::plan),
        minhash_dedup::NAME => (minhash_dedup::NAME, minhash_dedup::ARGUMENTS, minhash_dedup::plan),
        connected_components::NAME => {
            (connected_components::NAME, connected_components::ARGUMENTS, connected_components::plan)
        }
        fit_softmax::NAME => (fit_softmax::NAME, fit_softmax::ARGUMENTS, fit_softmax::plan),
        graph_filter::NAME => (graph_filter::NAME, graph_filter::ARGUMENTS, graph_filter::plan),
        influence::NAME => (influence::NAME, influence::ARGUMENTS, influence::plan),
        influence::VECTOR_NAME => (influence::VECTOR_NAME, influence::ARGUMENTS, influence::plan_vector),
        multilinear_importance::NAME => {
            (multilinear_importance::NAME, multilinear_importance::ARGUMENTS, multilinear_importance::plan)
        }
        spectral_clusters::NAME => (spectral_clusters::NAME, spectral_clusters::ARGUMENTS, spectral_clusters::plan),
        allocate_budget::NAME => (allocate_budget::NAME, allocate_budget::ARGUMENTS, allocate_budget::plan),
        assign_nearest::NAME => (assign_nearest::NAME, assign_nearest::ARGUMENTS, assign_nearest::plan),
        concept_clusters::NAME => (concept_clusters::NAME, concept_clusters::ARGUMENTS, concept_clusters::plan),
        embed::NAME => (embed::NAME, embed::ARGUMENTS, embed::plan),
        farthest_first::NAME => (farthest_first::NAME, farthest_first::ARGUMENTS, farthest_first::plan),
        kmeans::NAME => (kmeans::NAME, kmeans::ARGUMENTS, kmeans::plan),
        materialize::NAME => (materialize::NAME, materialize::ARGUMENTS, materialize::plan),
        max_prior_similarity::NAME => {
            (max_prior_similarity::NAME, max_prior_similarity::ARGUMENTS, max_prior_similarity::plan)
        }
        nearest_neighbors::NAME => (nearest_neighbors::NAME, nearest_neighbors::ARGUMENTS, nearest_neighbors::plan),
        semantic_dedup::NAME => (semantic_dedup::NAME, semantic_dedup::ARGUMENTS, semantic_dedup::plan),
        _ => return None,
    })
}

/// Whether SQL knows a relation operator of that name.
pub fn is_operator(name: &str) -> bool {
    operator(name).is_some()
}

impl RelationPlanner for OperatorPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let known = match &relation {
            TableFactor::Table { name, args: Some(_), .. } => operator(&name.to_string().to_lowercase()),
            _ => None,
        };
        match (known, relation) {
            (Some((name, known, plan)), TableFactor::Table { args: Some(args), alias, .. }) => {
                let plan = plan(Args::parse(name, known, args, context)?)?;
                Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
            }
            (_, relation) => Ok(RelationPlanning::Original(Box::new(relation))),
        }
    }
}

/// DataFusion's planner with our nodes.
#[derive(Debug)]
pub struct OperatorQueryPlanner;

#[async_trait]
impl QueryPlanner for OperatorQueryPlanner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn datafusion::catalog::Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(OperatorExtensionPlanner)]);
        planner.create_physical_plan(plan, session).await
    }
}

/// Makes the physical node of a logical one.
#[derive(Debug)]
pub struct OperatorExtensionPlanner;

#[async_trait]
impl ExtensionPlanner for OperatorExtensionPlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn datafusion::catalog::Session,
        _: &datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let schema = Arc::clone(node.schema().inner());
        if let Some(node) = node.as_any().downcast_ref::<CallNode>() {
            return Ok(Some(call_exec(node, physical_inputs, schema)?));
        }
        let ([below], [input]) = (logical_inputs, physical_inputs) else { return Ok(None) };
        let below = below.schema();
        if let Some(node) = node.as_any().downcast_ref::<DedupNode>() {
            let spec = DedupSpec {
                name: node.name.clone(),
                rule: node.rule,
                id: index(below, &node.id)?,
                order_by: order(&node.name, below, &node.order_by)?,
                sketch: index(below, &Column::new_unqualified(SKETCH))?,
            };
            let mut input = Arc::clone(input);
            if let Rule::Similar(Similar { sketch, .. }) = spec.rule {
                input = Arc::new(SketchExec::try_new(sketch, spec.sketch, input)?);
            }
            return Ok(Some(Arc::new(DedupExec::try_new(spec, input, schema)?)));
        }
        if let Some(node) = node.as_any().downcast_ref::<ComponentsNode>() {
            let (source, target) = (index(below, &node.source)?, index(below, &node.target)?);
            return Ok(Some(Arc::new(ComponentsExec::try_new(source, target, Arc::clone(input), schema)?)));
        }
        if let Some(node) = node.as_any().downcast_ref::<AnalysisNode>() {
            let columns = node.columns.iter().map(|column| index(below, column)).collect::<Result<_>>()?;
            let exec = AnalysisExec::try_new(node.analysis.clone(), columns, Arc::clone(input))?;
            return Ok(Some(Arc::new(exec)));
        }
        if node.as_any().is::<MaterializeNode>() {
            return Ok(Some(Arc::new(MaterializeExec::new(Arc::clone(input)))));
        }
        Ok(None)
    }
}

fn call_exec(node: &CallNode, inputs: &[Arc<dyn ExecutionPlan>], schema: SchemaRef) -> Result<Arc<dyn ExecutionPlan>> {
    let mut columns = vec![];
    for (input, list) in node.inputs.iter().zip(&node.columns) {
        columns.push(list.iter().map(|column| index(input.schema(), column)).collect::<Result<_>>()?);
    }
    let order_by = match node.inputs.first() {
        Some(first) => order(node.call.name(), first.schema(), &node.order_by)?,
        None => vec![],
    };
    let spec = CallSpec { call: node.call.clone(), columns, order_by };
    Ok(Arc::new(CallExec::try_new(spec, inputs.to_vec(), schema)?))
}

fn order(op: &str, below: &DFSchema, order_by: &[SortExpr]) -> Result<Vec<(usize, SortOptions)>> {
    let order_by = order_by.iter().map(|sort| match &sort.expr {
        Expr::Column(column) => {
            Ok((index(below, column)?, SortOptions { descending: !sort.asc, nulls_first: sort.nulls_first }))
        }
        other => plan_err!("{op} orders by columns only, not `{other}`"),
    });
    order_by.collect()
}

fn index(schema: &DFSchema, column: &Column) -> Result<usize> {
    schema.index_of_column(column)
}

/// Adds the functions and operators to a session.
pub fn register(state: &mut SessionState) -> Result<()> {
    use datafusion::execution::FunctionRegistry;
    state.register_expr_planner(Arc::new(JsonArrows))?;
    if let Ok(to_char) = state.udf("to_char") {
        // The name that DuckDB and Python have for it.
        state.register_udf(Arc::new(to_char.as_ref().clone().with_aliases(["strftime"])))?;
    }
    if let Ok(plain) = state.udf("string_to_array") {
        state.register_udf(Arc::new(StringToArray::new(plain).into()))?;
    }
    for udf in crate::register::scalar_functions().into_iter().chain(crate::checked::scalar_functions()) {
        state.register_udf(udf)?;
    }
    for udaf in crate::register::aggregate_functions().into_iter().chain(crate::checked::aggregate_functions()) {
        state.register_udaf(udaf)?;
    }
    for udwf in crate::register::window_functions() {
        state.register_udwf(udwf)?;
    }
    state.register_relation_planner(Arc::new(OperatorPlanner))
}
