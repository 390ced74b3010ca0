//! Lists each shared relation once, beside the plan that reads it, so that EXPLAIN and counters see it exactly once.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};

use super::read::{InputExec, ReadExec};

type Plan = Arc<dyn ExecutionPlan>;

/// Wraps a plan that reads shared relations in an [`InputsExec`].
#[derive(Debug)]
pub struct ListInputs;

impl PhysicalOptimizerRule for ListInputs {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        let mut inputs = vec![];
        find(&plan, &mut HashSet::new(), &mut inputs)?;
        Ok(if inputs.is_empty() { plan } else { Arc::new(InputsExec { plan, inputs }) })
    }

    fn name(&self) -> &str {
        "list_inputs"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Collects the shared relations that `plan` reads, directly or through other shared relations.
fn find(plan: &Plan, seen: &mut HashSet<*const InputExec>, inputs: &mut Vec<Plan>) -> Result<()> {
    let mut own = vec![];
    plan.apply(|node| {
        if let Some(read) = node.downcast_ref::<ReadExec>()
            && seen.insert(Arc::as_ptr(read.input()))
        {
            own.push(Arc::clone(read.input()));
        }
        // Relations in a list are reached through their readers, so the walk need not enter the list.
        Ok(if node.is::<InputExec>() { TreeNodeRecursion::Jump } else { TreeNodeRecursion::Continue })
    })?;
    for input in own {
        inputs.push(Arc::clone(&input) as Plan);
        find(input.plan(), seen, inputs)?;
    }
    Ok(())
}

/// Returns `plan` without its list of shared relations.
pub fn without_list(plan: Plan) -> Plan {
    plan.downcast_ref::<InputsExec>().map(|list| Arc::clone(&list.plan)).unwrap_or(plan)
}

/// A plan together with the shared relations that it reads.
#[derive(Debug)]
pub struct InputsExec {
    plan: Plan,
    inputs: Vec<Plan>,
}

impl DisplayAs for InputsExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => f.write_str("InputsExec"),
            DisplayFormatType::TreeRender => Ok(()),
        }
    }
}

impl ExecutionPlan for InputsExec {
    fn name(&self) -> &str {
        "InputsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.plan.properties()
    }

    fn children(&self) -> Vec<&Plan> {
        std::iter::once(&self.plan).chain(&self.inputs).collect()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        std::iter::once(true).chain(self.inputs.iter().map(|_| false)).collect()
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        self.children().iter().map(|_| false).collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(self: Arc<Self>, children: Vec<Plan>, _: ReplaceChildrenOptions) -> Result<Plan> {
        match children.split_first() {
            Some((plan, inputs)) => Ok(Arc::new(Self { plan: Arc::clone(plan), inputs: inputs.to_vec() })),
            None => internal_err!("InputsExec takes a plan"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Plan>) -> Result<Plan> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.plan.execute(partition, context)
    }
}
