//! The inputs and resources of a running operator.

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

/// One task of an operator: its inputs and resources.
pub struct Work {
    /// The rows of this task.
    pub input: SendableRecordBatchStream,
    /// The indices of the columns that the operator works on: one list per input, by role.
    pub columns: Vec<Vec<usize>>,
    /// Order of the rows of the first input; ties are broken by id.
    pub order_by: Vec<(usize, SortOptions)>,
    /// The schema of the result.
    pub schema: SchemaRef,
    /// Memory, disk, settings and counters.
    pub context: OperatorContext,
    /// The inputs after the first.
    pub others: Vec<Whole>,
}

impl Work {
    /// The index of the column with that role in the first input.
    pub fn column(&self, role: usize) -> usize {
        self.columns[0][role]
    }

    /// The name of the column with that role in the first input.
    pub fn name(&self, role: usize) -> String {
        self.input.schema().field(self.column(role)).name().clone()
    }

    /// Number of threads that the session may use.
    pub fn threads(&self) -> usize {
        self.context.task.session_config().target_partitions().max(1)
    }
}

/// An input after the first. Every task can read all of its rows.
#[derive(Clone)]
pub struct Whole {
    pub(super) plan: Arc<dyn ExecutionPlan>,
    pub(super) task: Arc<TaskContext>,
}

impl Whole {
    /// Reads all rows.
    ///
    /// # Errors
    /// The rows cannot be read.
    pub fn rows(&self) -> Result<SendableRecordBatchStream> {
        self.plan.execute(0, Arc::clone(&self.task))
    }
}

/// The resources of an operator.
#[derive(Clone)]
pub struct OperatorContext {
    /// The task, with memory pool, disk and settings.
    pub task: Arc<TaskContext>,
    /// The counters of the operator.
    pub metrics: ExecutionPlanMetricsSet,
    /// Spill counters, shared by all stores of the operator.
    pub spills: SpillMetrics,
    /// Index of the partition being computed.
    pub partition: usize,
    /// State shared by the partitions in this process.
    pub shared: Shared,
}

impl OperatorContext {
    /// Creates the context of one partition.
    pub fn new(task: Arc<TaskContext>, metrics: ExecutionPlanMetricsSet, partition: usize, shared: Shared) -> Self {
        let spills = SpillMetrics::new(&metrics, partition);
        Self { task, metrics, spills, partition, shared }
    }

    /// Creates an empty store of numbers; `label` names it in errors about memory and disk.
    pub fn numbers<T: Number>(&self, label: &'static str) -> Numbers<T> {
        Numbers::new(label, &self.task.runtime_env(), &self.spills)
    }

    /// Creates a store of `len` equal values.
    pub fn filled<T: Number>(&self, label: &'static str, len: usize, value: T) -> Result<Numbers<T>> {
        Numbers::filled(label, &self.task.runtime_env(), &self.spills, len, value)
    }
}

/// State shared by the partitions of one node in one process. It saves work but does not affect results: a partition in a
/// separate process computes the same rows.
#[derive(Debug, Clone, Default)]
pub struct Shared(Arc<Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>>);

impl Shared {
    /// Returns the value of type `T`, which all partitions share; it is created on first use.
    pub fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = Arc::clone(values.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default())));
        value.downcast().unwrap_or_default()
    }
}
