//! Finds relations that occur several times in a plan and computes them once.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, not_impl_err};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::expressions::DynamicFilterPhysicalExpr;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};
use datafusion_proto::bytes::physical_plan_to_bytes_with_extension_codec;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};

use super::read::ReadExec;
use crate::operators::frame::codec::OperatorPhysicalCodec;
use crate::operators::frame::exec::OperatorExec;
use crate::operators::frame::materialize::exec::MaterializeExec;

/// Functions that cost more to compute than their results cost to keep.
const COSTLY: &[&str] = &["embed_text", "embed_image", "token_nll"];

/// Whether the function `name` costs more to compute than its results cost to keep.
pub fn is_costly_function(name: &str) -> bool {
    COSTLY.contains(&name)
}

type Plan = Arc<dyn ExecutionPlan>;

/// Puts a [`MaterializeExec`] over the largest subplans that occur several times and contain an operator or an encoder.
/// Removes it from subplans that are read only once.
///
/// Subplans are equal if their serialized messages are, since the message that a cluster would receive describes a subplan
/// fully. Subplans that cannot be serialized, or that receive a dynamic filter from a join outside, are left alone.
#[derive(Debug)]
pub struct ShareRepeated;

impl PhysicalOptimizerRule for ShareRepeated {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        if !is_costly(&plan)? {
            return Ok(plan);
        }
        let mut sharing = Sharing::default();
        sharing.count(&plan)?;
        sharing.rewrite(&plan)
    }

    fn name(&self) -> &str {
        "share_repeated"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

#[derive(Default)]
struct Sharing {
    /// Key of each subplan, by the address of its node. Building a key serializes the whole subplan, so each is built only
    /// once.
    keys: HashMap<*const (), Option<Vec<u8>>>,
    /// Number of places in the rewritten plan that read each subplan.
    readers: HashMap<Vec<u8>, usize>,
    /// The shared node that replaces each subplan.
    shared: HashMap<Vec<u8>, Plan>,
}

impl Sharing {
    fn count(&mut self, plan: &Plan) -> Result<()> {
        let key = key(plan)?;
        self.keys.insert(address(plan), key.clone());
        if let Some(key) = key {
            let readers = self.readers.entry(key).or_insert(0);
            *readers += 1;
            if *readers > 1 {
                return Ok(());
            }
        }
        plan.children().into_iter().try_for_each(|child| self.count(child))
    }

    fn rewrite(&mut self, plan: &Plan) -> Result<Plan> {
        let key = self.keys.get(&address(plan)).cloned().flatten();
        if let Some(shared) = key.as_ref().and_then(|key| self.shared.get(key)) {
            return Ok(Arc::clone(shared));
        }
        let is_read_once = key.as_ref().is_none_or(|key| self.readers.get(key).is_none_or(|readers| *readers < 2));
        let children = plan.children().into_iter().map(|child| self.rewrite(child)).collect::<Result<Vec<_>>>()?;
        if plan.is::<MaterializeExec>() && is_read_once && key.is_some() {
            return Ok(children.into_iter().next().unwrap_or_else(|| Arc::clone(plan)));
        }
        let plan = replace_children_if_necessary(Arc::clone(plan), children)?;
        let Some(key) = key.filter(|_| !is_read_once) else { return Ok(plan) };
        let shared = if plan.is::<MaterializeExec>() { plan } else { Arc::new(MaterializeExec::new(plan)) as Plan };
        self.shared.insert(key, Arc::clone(&shared));
        Ok(shared)
    }
}

fn address(plan: &Plan) -> *const () {
    Arc::as_ptr(plan).cast()
}

/// Returns the key of a subplan; `None` if it is cheap or cannot be shared.
fn key(plan: &Plan) -> Result<Option<Vec<u8>>> {
    if !is_costly(plan)? || plan.exists(|node| has_expression(node, &is_filter_of_a_join))? {
        return Ok(None);
    }
    let codec = OperatorPhysicalCodec { operators: &[], others: Arc::new(Readers) };
    let message = physical_plan_to_bytes_with_extension_codec(Arc::clone(plan), &codec);
    Ok(message.ok().map(|bytes| bytes.to_vec()))
}

/// Encodes readers of shared relations so that their keys differ. These messages are never decoded.
#[derive(Debug)]
struct Readers;

impl PhysicalExtensionCodec for Readers {
    fn try_encode(&self, node: Plan, buf: &mut Vec<u8>, _: &dyn PhysicalProtoConverterExtension) -> Result<()> {
        match node.downcast_ref::<ReadExec>() {
            Some(read) => buf.extend(read.key().into_bytes()),
            None => return not_impl_err!("{} cannot be told from others", node.name()),
        }
        Ok(())
    }

    fn try_decode(
        &self,
        _: &[u8],
        _: &[Plan],
        _: &TaskContext,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Plan> {
        not_impl_err!("messages that tell parts of a plan apart are not read")
    }
}

/// Whether computing the subplan again costs more than keeping its rows.
fn is_costly(plan: &Plan) -> Result<bool> {
    plan.exists(|node| {
        Ok(node.is::<OperatorExec>() || node.is::<MaterializeExec>() || has_expression(node, &is_costly_call)?)
    })
}

/// Whether an expression of this node, or a part of one, satisfies `wanted`. Child nodes are not searched.
fn has_expression(node: &Plan, wanted: &dyn Fn(&Arc<dyn PhysicalExpr>) -> bool) -> Result<bool> {
    let mut found = false;
    node.apply_expressions(&mut |expr| {
        found |= expr.exists(|part| Ok(wanted(part)))?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn is_filter_of_a_join(expr: &Arc<dyn PhysicalExpr>) -> bool {
    expr.is::<DynamicFilterPhysicalExpr>()
}

fn is_costly_call(expr: &Arc<dyn PhysicalExpr>) -> bool {
    expr.downcast_ref::<ScalarFunctionExpr>().is_some_and(|call| is_costly_function(call.name()))
}
