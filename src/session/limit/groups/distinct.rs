//! DISTINCT over sorted rows: a row is kept if it differs from the previous one. No hash table is needed.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array, make_comparator};
use arrow::compute::{SortOptions, partition, take_arrays};
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::limit::LimitStream;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::{StreamExt, TryStreamExt};
use limpid_udfs::storage::compact::compact;

use super::Plan;

/// Implements an aggregate without functions over sorted keys.
#[derive(Debug, Clone)]
pub struct DistinctExec {
    /// DataFusion's operator, which never runs.
    groups: Plan,
    metrics: ExecutionPlanMetricsSet,
}

impl DistinctExec {
    /// `groups` has sorted input and no aggregate functions.
    pub fn new(groups: Plan) -> Self {
        Self { groups, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for DistinctExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("DistinctExec")
    }
}

impl ExecutionPlan for DistinctExec {
    fn name(&self) -> &str {
        "DistinctExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.groups.properties()
    }

    fn children(&self) -> Vec<&Plan> {
        self.groups.children()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.groups.apply_expressions(f)
    }

    fn replace_children(self: Arc<Self>, children: Vec<Plan>, options: ReplaceChildrenOptions) -> Result<Plan> {
        Ok(Arc::new(Self::new(Arc::clone(&self.groups).replace_children(children, options)?)))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Plan>) -> Result<Plan> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(groups) = self.groups.downcast_ref::<AggregateExec>() else {
            return internal_err!("DistinctExec over {}", self.groups.name());
        };
        let mut rows = Distinct { schema: self.schema(), keys: groups.group_expr().input_exprs(), last: None };
        let input = groups.input().execute(partition, context)?;
        let distinct = input.map(move |batch| rows.of(&batch?));
        let distinct = distinct.try_filter(|batch| std::future::ready(batch.num_rows() > 0));
        let distinct = Box::pin(RecordBatchStreamAdapter::new(self.schema(), distinct));
        Ok(Box::pin(LimitStream::new(distinct, 0, None, BaselineMetrics::new(&self.metrics, partition))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

struct Distinct {
    schema: SchemaRef,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    /// The last row so far.
    last: Option<RecordBatch>,
}

impl Distinct {
    /// Returns the rows of `batch` that differ from the row before them.
    fn of(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let keys = self.keys.iter().map(|key| key.evaluate(batch)?.into_array(batch.num_rows()));
        let keys = keys.collect::<Result<Vec<ArrayRef>>>()?;
        if batch.num_rows() == 0 {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
        }
        let seen = match &self.last {
            Some(last) => equal(last.columns(), &keys)?,
            None => false,
        };
        let first = partition(&keys)?.ranges().into_iter().skip(usize::from(seen));
        let first: UInt32Array = first.map(|range| u32::try_from(range.start).unwrap_or(u32::MAX)).collect();
        let distinct = RecordBatch::try_new(Arc::clone(&self.schema), take_arrays(&keys, &first, None)?)?;
        if !first.is_empty() {
            self.last = Some(compact(&distinct.slice(distinct.num_rows() - 1, 1))?);
        }
        Ok(distinct)
    }
}

/// Whether the row `last` is the first of `keys`.
pub(super) fn equal(last: &[ArrayRef], keys: &[ArrayRef]) -> Result<bool> {
    for (last, key) in last.iter().zip(keys) {
        if make_comparator(last, key, SortOptions::default())?(0, 0).is_ne() {
            return Ok(false);
        }
    }
    Ok(true)
}
