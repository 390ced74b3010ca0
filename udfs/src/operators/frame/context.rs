//! What an operator works with while it runs.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};

use crate::storage::numbers::{Number, Numbers};

/// The task of an operator: its relations, and what it may use.
pub struct Work {
    /// The rows of this task.
    pub input: SendableRecordBatchStream,
    /// Where the columns are that the operator works on: a list for each input, by role.
    pub columns: Vec<Vec<usize>>,
    /// Order of the rows of the first input; the id decides ties.
    pub order_by: Vec<(usize, SortOptions)>,
    /// The columns of the result.
    pub schema: SchemaRef,
    /// Memory, disk, settings and counters.
    pub context: OperatorContext,
    /// The inputs after the first.
    pub others: Vec<Whole>,
}

impl Work {
    /// Where the column in that role is in the first input.
    pub fn column(&self, role: usize) -> usize {
        self.columns[0][role]
    }

    /// Where the column in a role is that need not be there.
    pub fn optional(&self, role: usize) -> Option<usize> {
        self.columns[0].get(role).copied()
    }

    /// The name of the column in that role.
    pub fn name(&self, role: usize) -> String {
        self.input.schema().field(self.column(role)).name().clone()
    }

    /// Threads the session may use.
    pub fn threads(&self) -> usize {
        self.context.task.session_config().target_partitions().max(1)
    }
}

/// An input after the first: every task can read all of its rows.
#[derive(Clone)]
pub struct Whole {
    pub(super) plan: Arc<dyn ExecutionPlan>,
    pub(super) task: Arc<TaskContext>,
}

impl Whole {
    /// All rows.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn rows(&self) -> Result<SendableRecordBatchStream> {
        self.plan.execute(0, Arc::clone(&self.task))
    }
}

/// What an operator may use.
#[derive(Clone)]
pub struct OperatorContext {
    /// Memory pool, disk and settings.
    pub task: Arc<TaskContext>,
    /// Where counters go.
    pub metrics: ExecutionPlanMetricsSet,
    /// Counters of spilling, shared by all stores of the operator.
    pub spills: SpillMetrics,
    /// Which partition is computed.
    pub partition: usize,
    /// What the partitions of this process may share.
    pub shared: Shared,
}

impl OperatorContext {
    /// The context of one partition.
    pub fn new(task: Arc<TaskContext>, metrics: ExecutionPlanMetricsSet, partition: usize, shared: Shared) -> Self {
        let spills = SpillMetrics::new(&metrics, partition);
        Self { task, metrics, spills, partition, shared }
    }

    /// No values yet; `label` names them in errors about memory and disk.
    pub fn numbers<T: Number>(&self, label: &'static str) -> Numbers<T> {
        Numbers::new(label, &self.task.runtime_env(), &self.spills)
    }

    /// `len` times the same value.
    pub fn filled<T: Number>(&self, label: &'static str, len: usize, value: T) -> Result<Numbers<T>> {
        Numbers::filled(label, &self.task.runtime_env(), &self.spills, len, value)
    }
}

/// What the partitions of one node in one process know together. It saves work and decides nothing: a partition that runs in a process
/// of its own computes the same rows.
#[derive(Debug, Clone, Default)]
pub struct Shared(Arc<Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>>);

impl Shared {
    /// The value of that type, the same for all.
    pub fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = Arc::clone(values.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default())));
        value.downcast().unwrap_or_default()
    }
}
