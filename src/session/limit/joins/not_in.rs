//! `NOT IN (SELECT ...)` over values that may be NULL.
//!
//! If the values contain a NULL, no row is kept. A row whose own value is NULL is kept only if there are no values. Sorting
//! the values shows at once which case applies; they are then compared with the sorted rows.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::utils::normalize_float_zero;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexOrdering, Partitioning, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::limit::LimitStream;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, SpillMetrics};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{StreamExt, TryStreamExt};
use limpid_udfs::storage::sort::sort;

use super::super::Plan;

/// Rows of the left side whose value is not among those of the right side.
#[derive(Debug, Clone)]
pub struct NotInExec {
    left: Plan,
    right: Plan,
    on: (Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>),
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl NotInExec {
    /// Does what `join` does, if it is such a join of two columns alone.
    pub fn new(join: &HashJoinExec) -> Result<Option<Self>> {
        let (left, right) = (Arc::clone(join.left()), Arc::clone(join.right()));
        let (Some(on), None, None) = (join.on().first().cloned(), join.filter(), &join.projection) else {
            return Ok(None);
        };
        let same = on.0.data_type(&left.schema())? == on.1.data_type(&right.schema())?;
        Ok((join.null_aware && same).then(|| Self::of(left, right, on)))
    }

    fn of(left: Plan, right: Plan, on: (Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>)) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(left.schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { left, right, on, properties: Arc::new(properties), metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for NotInExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "NotInExec: {} not in {}", self.on.0, self.on.1)
    }
}

impl ExecutionPlan for NotInExec {
    fn name(&self) -> &str {
        "NotInExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Plan> {
        vec![&self.left, &self.right]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition, Distribution::SinglePartition])
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false, false]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        if f(&self.on.0)? == TreeNodeRecursion::Stop {
            return Ok(TreeNodeRecursion::Stop);
        }
        f(&self.on.1)
    }

    fn replace_children(self: Arc<Self>, mut children: Vec<Plan>, _: ReplaceChildrenOptions) -> Result<Plan> {
        match (children.pop(), children.pop(), children.is_empty()) {
            (Some(right), Some(left), true) => Ok(Arc::new(Self::of(left, right, self.on.clone()))),
            _ => internal_err!("NotInExec takes two inputs"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Plan>) -> Result<Plan> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("NotInExec has one partition, not {}", partition + 1);
        }
        let metrics = SpillMetrics::new(&self.metrics, 0);
        let kind = self.on.1.data_type(&self.right.schema())?;
        let converter = RowConverter::new(vec![SortField::new(kind.clone())])?;
        let values = values(self.right.execute(0, Arc::clone(&context))?, Arc::clone(&self.on.1), kind);
        let value: Arc<dyn PhysicalExpr> = Arc::new(Column::new("value", 0));
        let sorted = |name, input: SendableRecordBatchStream, by: &Arc<dyn PhysicalExpr>| {
            let ordering = LexOrdering::new([PhysicalSortExpr::new_default(Arc::clone(by))]);
            ordering.map(|ordering| sort(name, input, ordering, None, &context, metrics.clone()))
        };
        let left = self.left.execute(0, Arc::clone(&context))?;
        let (Some(values), Some(rows)) = (sorted("values", values, &value), sorted("rows", left, &self.on.0)) else {
            return internal_err!("NotInExec without an order");
        };
        let not_in = NotIn { rows, values, key: Arc::clone(&self.on.0), converter, state: State::Start };
        let rows = futures::stream::try_unfold(not_in, |mut not_in| async move {
            Ok(not_in.next().await?.map(|batch| (batch, not_in)))
        });
        let rows = Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows));
        Ok(Box::pin(LimitStream::new(rows, 0, None, BaselineMetrics::new(&self.metrics, 0))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// The values alone.
fn values(
    rows: SendableRecordBatchStream,
    value: Arc<dyn PhysicalExpr>,
    kind: arrow::datatypes::DataType,
) -> SendableRecordBatchStream {
    let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("value", kind, true)]));
    let out = Arc::clone(&schema);
    let values = rows.map(move |batch| {
        let batch = batch?;
        let column = value.evaluate(&batch)?.into_array(batch.num_rows())?;
        Ok(RecordBatch::try_new(Arc::clone(&out), vec![normalize_float_zero(&column)])?)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, values))
}

struct NotIn {
    rows: SendableRecordBatchStream,
    values: SendableRecordBatchStream,
    key: Arc<dyn PhysicalExpr>,
    converter: RowConverter,
    state: State,
}

enum State {
    Start,
    /// There are no values.
    All,
    /// The smallest value not yet passed by a row.
    From(Rows, usize),
    /// Rows are greater than all values.
    Passed,
}

impl NotIn {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if matches!(self.state, State::Start) {
            self.state = match self.next_values().await? {
                Some(values) if values.column(0).is_null(0) => return Ok(None),
                Some(values) => self.least_of(&values)?,
                None => State::All,
            };
        }
        while let Some(batch) = self.rows.try_next().await? {
            if matches!(self.state, State::All) {
                return Ok(Some(batch));
            }
            let keys = self.key.evaluate(&batch)?.into_array(batch.num_rows())?;
            let kept = self.kept(normalize_float_zero(&keys)).await?;
            let batch = filter_record_batch(&batch, &kept)?;
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// Which of the next keys are not among the values.
    async fn kept(&mut self, keys: ArrayRef) -> Result<BooleanArray> {
        let rows = self.converter.convert_columns(std::slice::from_ref(&keys))?;
        let mut kept = Vec::with_capacity(keys.len());
        for at in 0..keys.len() {
            let mut keep = !keys.is_null(at);
            while keep && let State::From(values, value) = &mut self.state {
                let order = values.row(*value).cmp(&rows.row(at));
                if order.is_ge() {
                    keep = order.is_gt();
                    break;
                }
                *value += 1;
                if *value == values.num_rows() {
                    self.state = State::Passed;
                    if let Some(values) = self.next_values().await? {
                        self.state = self.least_of(&values)?;
                    }
                }
            }
            kept.push(keep);
        }
        Ok(kept.into())
    }

    /// The next values, at least one.
    async fn next_values(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(batch) = self.values.try_next().await? {
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// The state at the first of `values`.
    fn least_of(&self, values: &RecordBatch) -> Result<State> {
        Ok(State::From(self.converter.convert_columns(values.columns())?, 0))
    }
}
