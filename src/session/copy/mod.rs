//! Makes `COPY ... TO` a local path atomic: the result appears whole or not at all.
//!
//! DataFusion's writers create files under their final names even if the query fails. A COPY is therefore planned to write
//! beside its target, and a node above it moves the result to the target once it is complete. Other stores are written
//! directly by DataFusion.

mod exec;
mod node;
pub mod target;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Extension, LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use limpid_connectors::sinks::encode::{WriteFormat, check_columns};
use limpid_io::StagedPath;
use limpid_udfs::operators::frame::planner::OperatorExtensionPlanner;
use url::Url;

use exec::CommitExec;
use node::CommitNode;

use super::inputs;

/// DataFusion's planner with limpid's operators and commits.
#[derive(Debug)]
pub struct SessionPlanner;

#[async_trait]
impl QueryPlanner for SessionPlanner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = inputs::planned(plan.clone(), session, self).await?;
        let plan = plan.transform_down(staged)?.data;
        let extensions: Vec<Arc<dyn ExtensionPlanner + Send + Sync>> =
            vec![Arc::new(OperatorExtensionPlanner), Arc::new(CommitPlanner)];
        DefaultPhysicalPlanner::with_extension_planners(extensions).create_physical_plan(&plan, session).await
    }
}

/// Puts a COPY to a local path under a node that commits it; leaves other plans unchanged.
fn staged(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Copy(mut copy) = plan else { return Ok(Transformed::no(plan)) };
    if copy.file_type.get_ext() == WriteFormat::Parquet.ending() {
        check_columns(WriteFormat::Parquet, copy.input.schema().as_arrow())?;
    }
    let Some(path) = local_path(&copy.output_url) else { return Ok(Transformed::no(LogicalPlan::Copy(copy))) };
    let place = StagedPath::new(&path, copy.output_url.ends_with('/') || path.is_dir());
    let place = place.map_err(|e| exec_datafusion_err!("{e}"))?;
    copy.output_url = url(&place)?;
    let node = CommitNode::new(LogicalPlan::Copy(copy), place);
    let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
    // The COPY below it is done.
    Ok(Transformed::new(plan, true, TreeNodeRecursion::Jump))
}

/// The path of a target in the local file system.
fn local_path(target: &str) -> Option<PathBuf> {
    if Path::new(target).is_absolute() {
        return Some(target.into());
    }
    match Url::parse(target) {
        Ok(url) if url.scheme() == "file" => url.to_file_path().ok(),
        Ok(_) => None,
        Err(_) => Some(target.into()),
    }
}

fn url(place: &StagedPath) -> Result<String> {
    let path = place.path();
    let url = if place.is_folder() { Url::from_directory_path(&path) } else { Url::from_file_path(&path) };
    url.map(String::from).map_err(|()| exec_datafusion_err!("cannot write {}: no such path", place.target().display()))
}

/// Makes the physical commit of a logical one.
#[derive(Debug)]
struct CommitPlanner;

#[async_trait]
impl ExtensionPlanner for CommitPlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let (Some(node), [input]) = (node.as_any().downcast_ref::<CommitNode>(), inputs) else { return Ok(None) };
        Ok(Some(Arc::new(CommitExec::new(node.place.clone(), Arc::clone(input)))))
    }
}
